"""The door to OpenD: the library ``futu-api``, imported when it is needed, and its errors in our words."""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

from markethub.domain.errors import (
    MissingExtraError,
    PermissionRefusedError,
    SymbolNotListedError,
    VenueError,
    VenueRefusedError,
    VenueThrottledError,
    VenueUnavailableError,
)

RET_OK = 0
FREQUENCY_WINDOW_S = 30.0

_UNAVAILABLE = (
    "Connect",  # "Connect timeout", "Connect fail", "Connection lost", "Connection closed"
    "Timeout",
    "Not connected",
    "Packet data error",
)
"""How the texts of futu-api 10.11 begin: ``common/err.py``, and what it says where no OpenD answers."""
# OpenD answers in the language of its user; these are the words seen in English and Chinese.
_TOO_OFTEN = ("too frequent", "frequency", "频率", "too many requests")
_UNKNOWN = ("unknown stock", "未知股票", "no such stock")
_NO_RIGHT = ("permission", "quote right", "no right", "权限", "quota", "额度")


class QuoteContext(Protocol):
    """What is used of ``futu.OpenQuoteContext``. Every call blocks; a status of 0 means success, and any
    other that the second value is the error's text."""

    def request_history_kline(
        self,
        code: str,
        start: str | None = None,
        end: str | None = None,
        ktype: str = "K_DAY",
        autype: str = "qfq",
        *,
        max_count: int | None = 1000,
        page_req_key: bytes | None = None,
        extended_time: bool = False,
    ) -> tuple[int, Any, bytes | None]: ...

    def get_stock_basicinfo(
        self, market: str, stock_type: str = "STOCK", code_list: Sequence[str] | None = None
    ) -> tuple[int, Any]: ...

    def get_global_state(self) -> tuple[int, Any]: ...

    def close(self) -> None: ...


def open_context(host: str, port: int, timeout_s: float) -> QuoteContext:
    """Connect to OpenD; blocks while the library is imported. Call it in a worker thread only.

    The library sets a SIGINT handler that ends the process at once if it is imported in the main thread, and
    ends the process itself when a package it needs is missing; neither happens here. It connects behind the
    scenes: without OpenD each question fails after ``timeout_s``. MissingExtraError where the library is not
    installed.
    """
    try:
        futu: Any = importlib.import_module("futu")
    except (ImportError, SystemExit) as error:
        raise MissingExtraError(
            f"source futu needs the library futu-api: install markethub[futu] ({error})"
        ) from error
    futu.SysConfig.set_all_thread_daemon(True)
    # Connecting in the foreground would try for ever inside the constructor.
    context = futu.OpenQuoteContext(host=host, port=port, is_async_connect=True)
    context.set_sync_query_connect_timeout(timeout_s)
    opened: QuoteContext = context
    return opened


def translate(text: object, subject: str) -> VenueError:
    """The error that OpenD's words stand for, as far as they are known; ``subject`` begins its message."""
    words = str(text)
    message = f"{subject}: {words[:200]}"
    lower = words.lower()
    if words.startswith(_UNAVAILABLE):
        return VenueUnavailableError(f"{message}; is OpenD running and logged in?")
    if any(word in lower for word in _TOO_OFTEN):
        return VenueThrottledError(message, FREQUENCY_WINDOW_S)
    if any(word in lower for word in _UNKNOWN):
        return SymbolNotListedError(message)
    if any(word in lower for word in _NO_RIGHT):
        return PermissionRefusedError(message)
    return VenueRefusedError(message)
