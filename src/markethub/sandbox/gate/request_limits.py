"""Who asked how often: Gate's requests per endpoint, address and ten seconds."""

from dataclasses import dataclass
from typing import Final

WINDOW_MS: Final = 10_000
# What is told where nothing is limited.
_UNLIMITED: Final = 10**9


@dataclass(frozen=True, slots=True)
class Allowance:
    """What became of one request: whether it may pass, and what the headers tell of the limit.

    ``reset_ms`` is when the limit resets for a request that was refused, otherwise the present time.
    """

    admitted: bool
    limit: int
    remaining: int
    reset_ms: int


class RequestBook:
    """Counts per client address and endpoint.

    Source: Gate API v4, "Rate Limit". Where the ten seconds begin is not told; here they are even tens of
    seconds of the clock.
    """

    def __init__(self, limit: int | None) -> None:
        """``limit`` None counts without refusing."""
        self._limit = limit
        self._window = -1
        self._used: dict[tuple[str, str], int] = {}
        self._refused: dict[tuple[str, str], int] = {}

    def charge(self, address: str, path: str, now_ms: int) -> Allowance:
        """Book one request; a refused one is booked like any other."""
        if self._window != (window := now_ms // WINDOW_MS):
            self._window = window
            self._used.clear()
        used = self._used[address, path] = self._used.get((address, path), 0) + 1
        limit = self._limit or _UNLIMITED
        admitted = used <= limit
        if not admitted:
            self._refused[address, path] = self._refused.get((address, path), 0) + 1
        reset_ms = now_ms if admitted else (window + 1) * WINDOW_MS
        return Allowance(admitted, limit, max(limit - used, 0), reset_ms)

    def snapshot(self) -> dict[str, object]:
        """Requests of the present ten seconds and refusals of all times, by client address and endpoint."""
        clients: dict[str, dict[str, dict[str, int]]] = {}
        for name, counts in (("used_10s", self._used), ("refused", self._refused)):
            for (address, path), count in counts.items():
                clients.setdefault(address, {}).setdefault(name, {})[path] = count
        return dict(clients)

    def reset(self) -> None:
        self._used.clear()
        self._refused.clear()
