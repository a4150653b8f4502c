"""Who spent how much: Binance's request weight per address and minute, its 429 and its 418."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from markethub.sandbox.settings import SandboxSettings

_RAW_WINDOW_MS: Final = 300_000
_LONGEST_BAN_S: Final = 3 * 86_400
_WINDOWS_KEPT: Final = 1_000


def weight_interval(window_s: int) -> tuple[str, int]:
    """How the venue spells the length of a window: ``MINUTE``, 1, or so many times ``SECOND``."""
    return ("SECOND", window_s) if window_s % 60 else ("MINUTE", window_s // 60)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one request: ``status`` 200, 429 or 418, and the weight used in this window so far."""

    status: int
    used_weight: int
    retry_after_s: int = 0
    message: str = ""


@dataclass(slots=True)
class _Client:
    window: int = -1
    used_weight: int = 0
    past_windows: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_WINDOWS_KEPT))
    raw_window: int = -1
    raw_requests: int = 0
    refusals: int = 0
    refusals_in_all: int = 0
    bans: int = 0
    banned_until_ms: int = 0


class WeightBook:
    """Counts per client address. Windows are whole minutes (weight, unless the settings say otherwise) and
    whole five minutes (raw requests) of the clock, as the venue's header ``X-MBX-USED-WEIGHT-1M`` has them.

    Source: Binance Spot REST API, "IP Limits". How many 429 a client may ignore, and that each ban doubles,
    are the sandbox's choice within the documented "2 minutes to 3 days".
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self.window_s = settings.weight_window_s
        self._window_ms = settings.weight_window_s * 1000
        self._settings = settings
        self._clients: dict[str, _Client] = {}

    def charge(self, address: str, weight: int, now_ms: int) -> Verdict:
        """Book one request; a refused one is booked like any other."""
        client = self._clients.setdefault(address, _Client())
        self._turn_windows(client, now_ms)
        client.used_weight += weight
        client.raw_requests += 1
        if now_ms < client.banned_until_ms:
            return self._banned(client, now_ms)
        refusal = self._find_refusal(client, now_ms)
        if refusal is None:
            client.refusals = 0
            return Verdict(200, client.used_weight)
        client.refusals += 1
        client.refusals_in_all += 1
        if client.refusals > self._settings.refusals_before_ban:
            ban_s = min(self._settings.first_ban_s * 2**client.bans, _LONGEST_BAN_S)
            client.bans += 1
            client.refusals = 0
            client.banned_until_ms = now_ms + ban_s * 1000
            return self._banned(client, now_ms)
        return refusal

    def snapshot(self) -> dict[str, object]:
        """The counts by client address; ``weight_windows`` are pairs of the end of a window that has passed,
        in Unix milliseconds, and what was used in it."""
        return {
            address: {
                "used_weight_1m": client.used_weight,
                "weight_windows": list(client.past_windows),
                "refusals": client.refusals_in_all,
                "raw_requests_5m": client.raw_requests,
                "bans": client.bans,
                "banned_until_ms": client.banned_until_ms or None,
            }
            for address, client in self._clients.items()
        }

    def reset(self) -> None:
        self._clients.clear()

    def _turn_windows(self, client: _Client, now_ms: int) -> None:
        if client.window != (window := now_ms // self._window_ms):
            if client.window >= 0:
                client.past_windows.append(((client.window + 1) * self._window_ms, client.used_weight))
            client.window = window
            client.used_weight = 0
        if client.raw_window != (raw_window := now_ms // _RAW_WINDOW_MS):
            client.raw_window = raw_window
            client.raw_requests = 0

    def _find_refusal(self, client: _Client, now_ms: int) -> Verdict | None:
        weight_limit = self._settings.weight_per_window
        interval, number = weight_interval(self.window_s)
        if weight_limit is not None and client.used_weight > weight_limit:
            return Verdict(
                429,
                client.used_weight,
                _seconds_left(now_ms, self._window_ms),
                f"Too much request weight used; current limit is {weight_limit} request weight per "
                f"{number} {interval}. "
                "Please use WebSocket Streams for live updates to avoid polling the API.",
            )
        raw_limit = self._settings.raw_requests_per_5_minutes
        if raw_limit is not None and client.raw_requests > raw_limit:
            return Verdict(
                429,
                client.used_weight,
                _seconds_left(now_ms, _RAW_WINDOW_MS),
                f"Too many requests; current limit is {raw_limit} raw requests per 5 MINUTE. "
                "Please use WebSocket Streams for live updates to avoid polling the API.",
            )
        return None

    @staticmethod
    def _banned(client: _Client, now_ms: int) -> Verdict:
        return Verdict(
            418,
            client.used_weight,
            -(-(client.banned_until_ms - now_ms) // 1000),
            f"Way too much request weight used; IP banned until {client.banned_until_ms}. "
            "Please use WebSocket Streams for live updates to avoid bans.",
        )


def _seconds_left(now_ms: int, window_ms: int) -> int:
    return -(-(window_ms - now_ms % window_ms) // 1000)
