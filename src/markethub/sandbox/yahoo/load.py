"""Who asked how often."""

from typing import Final

WINDOW_MS: Final = 10_000


class LoadBook:
    """Counts requests per client address and ten seconds; Yahoo tells neither its limit nor its window."""

    def __init__(self, limit: int | None) -> None:
        """``limit`` None counts without refusing."""
        self._limit = limit
        self._window = -1
        self._used: dict[str, int] = {}
        self._refused: dict[str, int] = {}

    def admit(self, address: str, now_ms: int) -> bool:
        """Book one request and say whether it may pass; a refused one is booked like any other."""
        if self._window != (window := now_ms // WINDOW_MS):
            self._window = window
            self._used.clear()
        used = self._used[address] = self._used.get(address, 0) + 1
        if self._limit is None or used <= self._limit:
            return True
        self._refused[address] = self._refused.get(address, 0) + 1
        return False

    def snapshot(self) -> dict[str, object]:
        """Requests of the present ten seconds and refusals of all times, by client address."""
        return {
            address: {"used_10s": self._used.get(address, 0), "refused": self._refused.get(address, 0)}
            for address in sorted({*self._used, *self._refused})
        }

    def reset(self) -> None:
        self._used.clear()
        self._refused.clear()
