"""Who asked how often: OKX's requests per endpoint, client and window, and its 429."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from markethub.sandbox.settings import SandboxSettings

_WINDOW_MS: Final = 2_000

LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "/api/v5/public/time": 10,
        "/api/v5/public/instruments": 20,
        "/api/v5/market/candles": 40,
        "/api/v5/market/history-candles": 20,
        "/api/v5/market/ticker": 20,
        "/api/v5/market/tickers": 20,
        "/api/v5/market/books": 40,
        "/api/v5/market/books-full": 10,
        "/api/v5/public/market-data-history": 5,
        "/api/v5/account/config": 5,
        "/api/v5/account/balance": 10,
        "/api/v5/asset/balances": 6,
        "/api/v5/trade/orders-history": 40,
        "/api/v5/trade/orders-history-archive": 20,
        "/api/v5/trade/fills-history": 10,
        "/api/v5/asset/deposit-history": 6,
        "/api/v5/asset/withdrawal-history": 6,
        "/api/v5/asset/bills-history": 1,
    }
)
"""Requests per window. Source: OKX API v5 guide, at each endpoint."""

_SHORT_WINDOWS_MS: Final[Mapping[str, int]] = MappingProxyType(
    {path: 1_000 for path in LIMITS if path.startswith("/api/v5/asset/")}
)
"""Where the window is not two seconds."""


class RequestBook:
    """Counts per client and endpoint: by address what is public, by account what is not.

    The venue does not tell where its two seconds begin; here they are even seconds of the clock.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._is_enforced = settings.okx_limits_enforced
        self._turn = -1
        self._used: dict[tuple[str, str], tuple[int, int]] = {}
        self._refused: dict[tuple[str, str], int] = {}

    def admit(self, client: str, path: str, key: str, now_ms: int) -> bool:
        """Book one request, a refused one like any other; False when it is too many.

        ``key`` is the endpoint, with whatever else the venue counts apart.
        """
        if self._turn != (turn := now_ms // _WINDOW_MS):
            self._turn = turn
            self._used.clear()
        window = now_ms // _SHORT_WINDOWS_MS.get(path, _WINDOW_MS)
        booked_in, used = self._used.get((client, key), (window, 0))
        used = used + 1 if booked_in == window else 1
        self._used[client, key] = (window, used)
        if not self._is_enforced or used <= LIMITS.get(path, used):
            return True
        self._refused[client, path] = self._refused.get((client, path), 0) + 1
        return False

    def snapshot(self) -> dict[str, object]:
        """Requests of the present window and refusals of all times, by client and endpoint."""
        clients: dict[str, dict[str, dict[str, int]]] = {}
        for (client, key), (_, used) in self._used.items():
            clients.setdefault(client, {}).setdefault("used_2s", {})[key] = used
        for (client, path), times in self._refused.items():
            clients.setdefault(client, {}).setdefault("refused", {})[path] = times
        return dict(clients)

    def reset(self) -> None:
        self._used.clear()
        self._refused.clear()
