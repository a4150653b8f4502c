"""The settings of the Gate adapter."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from markethub.domain.errors import InputError
from markethub.venues.transport.options import check_names, read_number, read_switch
from markethub.venues.transport.session import check_base_url


@dataclass(frozen=True, slots=True)
class GateOptions:
    """What may be set, with the defaults."""

    base_url: str = "https://api.gateio.ws/api/v4"
    """Where the REST API is, with the path before `/spot`."""
    request_timeout_s: float = 20.0
    """Seconds that one request may take."""
    connections: int = 16
    """Connections per endpoint."""
    safety_fraction: float = 0.02
    """The part of every endpoint's budget that is never used."""
    quick_retries: int = 2
    """How often a request is repeated at once after a network failure, before the engine's own retries."""
    patience_s: float = 120.0
    """How long one call waits because the venue said so, before it fails as throttled."""
    bulk_files: bool = False
    """Take klines from the files at `bulk_url` first: the only way to bars older than the last 10,000."""
    bulk_volume: str = ""
    """What the files' volume was found to be; `bulk_files` needs `base`. No documentation says which it is:
    compare a day with REST first."""
    bulk_url: str = "https://download.gatedata.org"
    """Where the files are."""

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> Self:
        """Read options by name; InputError names the first that is unknown or wrong, and what is allowed."""
        check_names(options, [field.name for field in fields(cls)], "GIO")
        default = cls()

        def number(name: str, low: float, high: float) -> float:
            return read_number(options, name, low, high, default=getattr(default, name), venue="GIO")

        bulk_files = read_switch(options, "bulk_files", default=default.bulk_files, venue="GIO")
        return cls(
            base_url=check_base_url(options.get("base_url", default.base_url), "GIO option base_url"),
            request_timeout_s=number("request_timeout_s", 0.1, 600),
            connections=int(number("connections", 1, 1000)),
            safety_fraction=number("safety_fraction", 0, 0.9),
            quick_retries=int(number("quick_retries", 0, 100)),
            patience_s=number("patience_s", 0, 86_400),
            bulk_files=bulk_files,
            bulk_volume=_check_bulk_volume(options.get("bulk_volume", default.bulk_volume), bulk_files),
            bulk_url=check_base_url(options.get("bulk_url", default.bulk_url), "GIO option bulk_url"),
        )


def _check_bulk_volume(text: str, bulk_files: bool) -> str:
    if text not in ("", "base", "quote"):
        raise InputError(f"GIO option bulk_volume {text[:60]!r} is neither base nor quote")
    if bulk_files and not text:
        raise InputError(
            "GIO option bulk_files needs bulk_volume: which volume the files hold is not documented; compare "
            "one day of a file with REST, then set bulk_volume to base if that is what it is"
        )
    if bulk_files and text == "quote":
        raise InputError(
            "GIO option bulk_volume 'quote': such files cannot be used, as bars need the volume in the base "
            "currency; leave bulk_files off"
        )
    return text
