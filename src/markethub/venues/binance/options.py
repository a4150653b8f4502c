"""The settings of the Binance adapter."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from markethub.venues.binance.limits import EXCHANGE_INFO_WEIGHT
from markethub.venues.transport.options import check_names, read_number
from markethub.venues.transport.session import check_base_url


@dataclass(frozen=True, slots=True)
class BinanceOptions:
    """What may be set, with the defaults."""

    base_url: str = "https://api.binance.com"
    """Where the REST API is."""
    archive_url: str = "https://data.binance.vision"
    """Where the monthly and daily files are."""
    request_timeout_s: float = 20.0
    """Seconds that one request may take."""
    connections: int = 32
    """Connections to the REST API."""
    archive_connections: int = 8
    """Connections to the archive."""
    weight_limit: int | None = None
    """Weight a minute below what the venue allows, for an address shared with other programs."""
    safety_fraction: float = 0.02
    """The part of the weight that is never used."""
    quick_retries: int = 2
    """How often a request is repeated at once after a network failure, before the engine's own retries."""
    patience_s: float = 120.0
    """How long one call waits because the venue said so, before it fails as throttled."""
    recv_window_ms: int = 5_000
    """For how long the venue takes a signed request after the moment it is dated with."""

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> Self:
        """Read options by name; InputError names the first that is unknown or wrong, and what is allowed."""
        check_names(options, [field.name for field in fields(cls)], "BNC")
        default = cls()

        def number(name: str, low: float, high: float) -> float:
            return read_number(options, name, low, high, default=getattr(default, name), venue="BNC")

        limit = int(
            read_number(
                options, "weight_limit", 2 * EXCHANGE_INFO_WEIGHT, 1_000_000_000, default=0, venue="BNC"
            )
        )
        return cls(
            base_url=check_base_url(options.get("base_url", default.base_url), "BNC option base_url"),
            archive_url=check_base_url(
                options.get("archive_url", default.archive_url), "BNC option archive_url"
            ),
            request_timeout_s=number("request_timeout_s", 0.1, 600),
            connections=int(number("connections", 1, 1000)),
            archive_connections=int(number("archive_connections", 1, 1000)),
            weight_limit=limit or None,
            safety_fraction=number("safety_fraction", 0, 0.9),
            quick_retries=int(number("quick_retries", 0, 100)),
            patience_s=number("patience_s", 0, 86_400),
            recv_window_ms=int(number("recv_window_ms", 1, 60_000)),
        )
