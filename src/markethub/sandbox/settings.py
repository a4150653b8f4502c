"""What a sandbox is told before it starts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from markethub.domain.errors import InputError

Clock = Callable[[], int]
"""Returns Unix milliseconds UTC."""


def system_clock() -> int:
    return time.time_ns() // 1_000_000


def fixed_clock(at_ms: int) -> Clock:
    """A clock that stands still."""
    return lambda: at_ms


def clock_starting_at(start_ms: int) -> Clock:
    """A clock that shows ``start_ms`` now and goes on at the pace of the real one."""
    began_ns = time.monotonic_ns()
    return lambda: start_ms + (time.monotonic_ns() - began_ns) // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Everything that changes what the sandbox answers; equal settings give equal answers at equal times.

    A limit of None is never enforced, though what was used is still counted and told.
    ``generated_symbols`` adds ``SIM0001_USDT`` and so on to the listing, for load tests.
    """

    clock: Clock = system_clock
    seed: int = 7
    generated_symbols: int = 0
    weight_per_minute: int | None = 6000
    weight_window_s: int = 60
    """How long a window of Binance's weight limit lasts; in shorter ones than its minute the same pace is
    allowed, and whoever waits for the next one waits less."""
    raw_requests_per_5_minutes: int | None = 300_000
    sapi_weight_per_minute: int | None = 12_000
    """For each of Binance's wallet endpoints and each client."""
    okx_limits_enforced: bool = True
    """Whether OKX answers 429 above its documented requests per endpoint and two seconds."""
    orders_per_account: int = 4000
    """How many orders an OKX account places in 120 days; there are some 3 fills to an order."""
    transfers_per_account: int = 1500
    """How many deposits, withdrawals and moves an OKX account has in 120 days."""
    okx_swaps_time_cursors: bool = False
    """Whether ``after`` and ``before`` of deposits and withdrawals mean what the example of OKX's guide does,
    not what its text says."""
    gate_requests_per_10_s: int | None = 200
    """For each endpoint and client, above which Gate answers 429."""
    yahoo_requests_per_10_s: int | None = 20
    """For each client, above which Yahoo answers 429; the real number is not known."""
    refusals_before_ban: int = 20
    """How many requests a client may send on into a 429 before it is banned."""
    first_ban_s: int = 120
    """Each further ban of a client lasts twice as long, up to three days."""
    fault_plan: Path | None = None
    """A JSON file of faults that are in force from the start; ``POST /sandbox/faults`` adds more."""
    archive_hour_utc: int = 4
    """When a bulk file appears on its day; the venue documents the day only."""
    page_cache_bytes: int = 128 * 1024 * 1024
    archive_cache_bytes: int = 256 * 1024 * 1024

    @property
    def weight_per_window(self) -> int | None:
        if self.weight_per_minute is None:
            return None
        return max(self.weight_per_minute * self.weight_window_s // 60, 1)

    def __post_init__(self) -> None:
        if not 0 <= self.generated_symbols <= 9999:
            raise InputError(f"generated_symbols {self.generated_symbols} is not between 0 and 9999")
        if not 0 <= self.archive_hour_utc <= 23:
            raise InputError(f"archive_hour_utc {self.archive_hour_utc} is not between 0 and 23")
        if not 1 <= self.weight_window_s <= 60:
            raise InputError(f"weight_window_s {self.weight_window_s} is not between 1 and 60")
        for name in (
            "weight_per_minute",
            "raw_requests_per_5_minutes",
            "sapi_weight_per_minute",
            "gate_requests_per_10_s",
            "yahoo_requests_per_10_s",
        ):
            if (limit := getattr(self, name)) is not None and limit < 1:
                raise InputError(f"{name} {limit} is not above 0; None means no limit")
        for name in (
            "orders_per_account",
            "transfers_per_account",
            "refusals_before_ban",
            "first_ban_s",
            "page_cache_bytes",
            "archive_cache_bytes",
        ):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"{name} {value} is not above 0")
