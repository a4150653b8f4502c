"""The settings of the OKX adapter."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from markethub.venues.transport.options import check_names, read_number, read_switch
from markethub.venues.transport.session import check_base_url


@dataclass(frozen=True, slots=True)
class OkxOptions:
    """What may be set, with the defaults.

    ``base_url`` depends on where the account lives: accounts of the EEA and the US have hosts of their own.
    ``connections`` is per endpoint. ``safety_fraction`` of every endpoint's budget is never used: raise it
    for an address shared with other programs, as this venue does not tell what they spend. ``patience_s`` is
    how long one call waits because the venue said so before it fails with VenueThrottledError. ``simulated``
    says that the accounts' keys are of demo trading; public data is asked of the real market all the same.

    ``bulk_files`` takes one-minute klines from the venue's files first. They lie where its index says, but
    are only ever downloaded from ``bulk_url`` or ``base_url``.
    """

    base_url: str = "https://www.okx.com"
    request_timeout_s: float = 20.0
    connections: int = 16
    safety_fraction: float = 0.02
    quick_retries: int = 2
    patience_s: float = 120.0
    simulated: bool = False
    bulk_files: bool = False
    bulk_url: str = "https://static.okx.com"

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
