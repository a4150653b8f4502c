"""Names as callers write them, and how they are documented.

Services judge them, since their words say more than a pattern's. A pattern refuses nothing that they accept.
"""

from typing import Annotated

from pydantic import Field

from markethub.domain.interval import Interval
from markethub.wire.model import Text

# Codes of assets are capitals and digits of any script: of ASCII nothing else, of the rest whatever there is.
ASSET = r"[^\x00-/:-@\[-\x7f]{1,40}"
"""The pattern of one."""

_CRYPTO = rf"{ASSET}_{ASSET}\.[A-Z]{{3}}"
_STOCK = r"[A-Z]{2}\.[A-Z0-9][A-Z0-9.\-]{0,19}"
_ACCOUNT = r"[A-Z]{3}_[A-Za-z0-9][A-Za-z0-9_\-]{0,63}"

ExchangeCode = Annotated[
    Text,
    Field(json_schema_extra={"pattern": "^([A-Z]{2}|[A-Z]{3})$", "examples": ["BNC", "OKX"]}),
]
"""``BNC``; three letters, two for a market of stocks."""

CryptoName = Annotated[
    Text,
    Field(json_schema_extra={"pattern": f"^{_CRYPTO}$", "examples": ["BTC_USDT.BNC", "ETH_USDT.OKX"]}),
]
"""``BTC_USDT.BNC``."""

InstrumentName = Annotated[
    Text,
    Field(json_schema_extra={"pattern": f"^({_CRYPTO}|{_STOCK})$", "examples": ["BTC_USDT.BNC", "US.AAPL"]}),
]
"""``BTC_USDT.BNC`` or ``US.AAPL``."""

RootName = Annotated[
    Text,
    Field(json_schema_extra={"pattern": f"^{ASSET}_{ASSET}$", "examples": ["BTC_USDT", "ETH_USDT"]}),
]
"""``BTC_USDT``."""

TradedName = Annotated[
    Text,
    Field(
        json_schema_extra={
            "pattern": rf"^({ASSET}_{ASSET}(\.[A-Z]{{3}})?|{_STOCK})$",
            "examples": ["BTC_USDT", "BTC_USDT.OKX"],
        }
    ),
]
"""A root symbol or a whole one."""

ListedName = Annotated[
    Text,
    Field(
        json_schema_extra={
            "pattern": rf"^{ASSET}_{ASSET}(\.[A-Z]{{3}})?$",
            "examples": ["BTC_USDT", "BTC_USDT.BNC"],
        }
    ),
]
"""A root symbol, or a whole one of an exchange that is named elsewhere."""

AccountName = Annotated[
    Text, Field(json_schema_extra={"pattern": f"^{_ACCOUNT}$", "examples": ["OKX_MM01", "BNC_MM01"]})
]
"""``OKX_MM01``."""

IntervalName = Annotated[
    Text, Field(json_schema_extra={"enum": [str(interval) for interval in Interval], "examples": ["1h"]})
]
"""``1h``."""
