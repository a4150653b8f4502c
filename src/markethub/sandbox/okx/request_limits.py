"""Who asked how often: OKX's requests per endpoint, address and two seconds, and its 429."""

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
    }
)
"""Requests per two seconds. Source: OKX API v5 guide, at each endpoint."""


class RequestBook:
    """Counts per client address and endpoint.

    The venue does not tell where its two seconds begin; here they are even seconds of the clock.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._is_enforced = settings.okx_limits_enforced
        self._window = -1
        self._used: dict[tuple[str, str], int] = {}
        self._refused: dict[tuple[str, str], int] = {}

    def admit(self, address: str, path: str, key: str, now_ms: int) -> bool:
        """Book one request, a refused one like any other; False when it is too many.

        ``key`` is the endpoint, with whatever else the venue counts apart.
        """
        if self._window != (window := now_ms // _WINDOW_MS):
            self._window = window
            self._used.clear()
        used = self._used[address, key] = self._used.get((address, key), 0) + 1
        if not self._is_enforced or used <= LIMITS.get(path, used):
            return True
        self._refused[address, path] = self._refused.get((address, path), 0) + 1
        return False

    def snapshot(self) -> dict[str, object]:
        """Requests of the present two seconds and refusals of all times, by client address and endpoint."""
        clients: dict[str, dict[str, dict[str, int]]] = {}
        for name, counts in (("used_2s", self._used), ("refused", self._refused)):
            for (address, key), count in counts.items():
                clients.setdefault(address, {}).setdefault(name, {})[key] = count
        return dict(clients)

    def reset(self) -> None:
        self._used.clear()
        self._refused.clear()
