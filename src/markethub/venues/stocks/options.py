"""The settings of the venues ``US`` and ``HK``, as they stand in the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Self, TypeVar

from markethub.domain.errors import InputError
from markethub.venues.stocks.source import Adjustment
from markethub.venues.transport.options import check_names, read_number
from markethub.venues.transport.session import check_base_url

T = TypeVar("T", bound=StrEnum)


class SourceName(StrEnum):
    """Where bars come from."""

    YAHOO = "yahoo"
    FOLDER = "folder"
    FUTU = "futu"


@dataclass(frozen=True, slots=True)
class StockOptions:
    """What may be set, with the defaults; which source an option is for stands with it."""

    source: SourceName = SourceName.YAHOO
    """Where bars come from: `yahoo`, `futu` (OpenD) or `folder`."""
    adjustment: Adjustment = Adjustment.RAW
    """`raw`: what was paid on the day; `adjusted`: scaled by every later split and dividend."""
    base_url: str = "https://query1.finance.yahoo.com"
    """Yahoo: where its charts are, before `/v8`."""
    requests_per_10_s: int = 5
    """Yahoo, which documents no limit: requests of one market in 10 s, so both together ask once a second."""
    user_agent: str = "Mozilla/5.0 (compatible; MarketHub)"
    """Yahoo, which refuses those of HTTP libraries: what the requests say who asks."""
    delay_s: float = 1200.0
    """Yahoo and Futu: how long after its end a bar may still change; Hong Kong is shown 15 minutes late."""
    path: Path | None = None
    """Folder: where the CSV and Parquet files are."""
    symbols_file: Path | None = None
    """What the whole market is for jobs that want it: a file with one ticker a line, `#` begins a comment;
    without one it is what the folder has files of."""
    host: str = "127.0.0.1"
    """Futu: the host of OpenD."""
    port: int = 11111
    """Futu: the port of OpenD."""
    request_timeout_s: float = 20.0
    """Seconds that one request may take."""
    connections: int = 2
    """Connections to the source."""
    quick_retries: int = 2
    """How often a request is repeated at once after a network failure, before the engine's own retries."""
    patience_s: float = 120.0
    """How long one call waits because the venue said so, before it fails as throttled."""

    @classmethod
    def parse(cls, options: Mapping[str, str], venue: str) -> Self:
        """Read options by name; InputError names the first that is unknown or wrong, and what is allowed."""
        check_names(options, [field.name for field in fields(cls)], venue)
        default = cls()

        def number(name: str, low: float, high: float) -> float:
            return read_number(options, name, low, high, default=getattr(default, name), venue=venue)

        source = _read_name(options, "source", default.source, venue)
        if source is SourceName.FOLDER and not options.get("path"):
            raise InputError(f"{venue} option source is folder: option path must name the folder")
        user_agent = options.get("user_agent", default.user_agent)
        if not user_agent.isprintable() or not user_agent.isascii() or not user_agent:
            raise InputError(f"{venue} option user_agent is not printable ASCII text")
        return cls(
            source=source,
            adjustment=_read_name(options, "adjustment", default.adjustment, venue),
            base_url=check_base_url(options.get("base_url", default.base_url), f"{venue} option base_url"),
            requests_per_10_s=int(number("requests_per_10_s", 1, 10_000)),
            user_agent=user_agent,
            delay_s=number("delay_s", 0, 86_400),
            path=Path(options["path"]) if options.get("path") else None,
            symbols_file=Path(options["symbols_file"]) if options.get("symbols_file") else None,
            host=options.get("host", default.host),
            port=int(number("port", 1, 65_535)),
            request_timeout_s=number("request_timeout_s", 0.1, 600),
            connections=int(number("connections", 1, 1000)),
            quick_retries=int(number("quick_retries", 0, 100)),
            patience_s=number("patience_s", 0, 86_400),
        )


def _read_name(options: Mapping[str, str], name: str, default: T, venue: str) -> T:
    text = options.get(name, default.value)
    try:
        return type(default)(text)
    except ValueError:
        allowed = ", ".join(type(default))
        raise InputError(f"{venue} option {name} {text[:60]!r} is not one of {allowed}") from None
