"""The settings of the OKX adapter."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from markethub.venues.transport.options import check_names, read_number, read_switch
from markethub.venues.transport.session import check_base_url


@dataclass(frozen=True, slots=True)
class OkxOptions:
    """What may be set, with the defaults."""

    base_url: str = "https://www.okx.com"
    """Where the REST API is; accounts of the EEA and the US have hosts of their own."""
    request_timeout_s: float = 20.0
    """Seconds that one request may take."""
    connections: int = 16
    """Connections per endpoint."""
    safety_fraction: float = 0.02
    """The part of every endpoint's budget that is never used. Raise it for an address shared with other
    programs, as this venue does not tell what they spend."""
    quick_retries: int = 2
    """How often a request is repeated at once after a network failure, before the engine's own retries."""
    patience_s: float = 120.0
    """How long one call waits because the venue said so, before it fails as throttled."""
    simulated: bool = False
    """The accounts' keys are of demo trading; public data is asked of the real market all the same."""
    bulk_files: bool = False
    """Take one-minute klines from the venue's files first."""
    bulk_url: str = "https://static.okx.com"
    """The only host besides `base_url` that files are downloaded from, whatever the venue's index says."""

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> Self:
        """Read options by name; InputError names the first that is unknown or wrong, and what is allowed."""
        check_names(options, [field.name for field in fields(cls)], "OKX")
        default = cls()

        def number(name: str, low: float, high: float) -> float:
            return read_number(options, name, low, high, default=getattr(default, name), venue="OKX")

        return cls(
            base_url=check_base_url(options.get("base_url", default.base_url), "OKX option base_url"),
            request_timeout_s=number("request_timeout_s", 0.1, 600),
            connections=int(number("connections", 1, 1000)),
            safety_fraction=number("safety_fraction", 0, 0.9),
            quick_retries=int(number("quick_retries", 0, 100)),
            patience_s=number("patience_s", 0, 86_400),
            simulated=read_switch(options, "simulated", default=default.simulated, venue="OKX"),
            bulk_files=read_switch(options, "bulk_files", default=default.bulk_files, venue="OKX"),
            bulk_url=check_base_url(options.get("bulk_url", default.bulk_url), "OKX option bulk_url"),
        )
