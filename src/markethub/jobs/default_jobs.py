"""The jobs that a fresh install has; the configuration changes them by name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markethub.control.jobs import JobSpec
from markethub.domain.support import LEDGER_KINDS, DataKind, venues_with
from markethub.domain.symbol import Account

_MINUTE_S = 60
# Ledgers are asked at other minutes than klines, which all want the venues at the full hour.
_ACCOUNT_SCHEDULES = {
    DataKind.BALANCE: ("*/15 * * * *", "Take a snapshot of all accounts' balances"),
    DataKind.ORDER: ("2-59/5 * * * *", "Sync orders of all accounts"),
    DataKind.FILL: ("3-59/5 * * * *", "Sync fills of all accounts"),
    DataKind.TRANSFER: ("20 * * * *", "Sync deposits, withdrawals and internal moves of all accounts"),
}

CLEANUP_BOUNDS: Mapping[str, Mapping[str, int]] = {
    "execution": {"max_age_days": 90, "max_count": 1_000_000},
    "log": {"max_age_days": 30, "max_count": 10_000_000},
    "audit": {"max_age_days": 365},
}
"""What cleanups keep unless told otherwise, by type."""

_CLEANUPS = {
    "execution": ("cleanup_executions", "Delete old executions with their chunks", "10 2 * * *"),
    "log": ("cleanup_logs", "Delete old log lines", "40 2 * * *"),
    "audit": ("cleanup_audit", "Delete old rows of the audit", "50 2 * * *"),
}


def default_jobs(accounts: Sequence[Account]) -> tuple[JobSpec, ...]:
    """The jobs for a node with these ``accounts``, times in UTC.

    Those of accounts are there only where an account is on an exchange that has their kind. A job that finds
    nothing to work on, as before anything is subscribed, ends well and says so.
    """
    return (*_market_jobs(), *_account_jobs(accounts), *_upkeep_jobs())


def _market_jobs() -> Iterable[JobSpec]:
    klines = {"exchanges": venues_with(DataKind.KLINE)}
    yield _job(
        "sync_klines_1h",
        DataKind.KLINE,
        "Sync 1-hour klines from all exchanges",
        "0 * * * *",
        {"intervals": ["1h"], **klines},
        timeout_minutes=5,
    )
    # Some minutes late: then the day's bar is settled, and is claimed at once.
    yield _job(
        "sync_klines_1d",
        DataKind.KLINE,
        "Sync 1-day klines from all exchanges",
        "5 0 * * *",
        {"intervals": ["1d"], **klines},
        timeout_minutes=10,
    )
    yield _job(
        "sync_symbols_all",
        DataKind.SYMBOL,
        "Sync trading symbols from all exchanges",
        "0 0 * * *",
        {"exchanges": venues_with(DataKind.SYMBOL)},
        timeout_minutes=10,
    )
    yield _job(
        "sync_tickers_all",
        DataKind.TICKER,
        "Take a snapshot of tickers from all exchanges",
        "*/5 * * * *",
        {"exchanges": venues_with(DataKind.TICKER)},
        timeout_minutes=4,
    )


def _account_jobs(accounts: Sequence[Account]) -> Iterable[JobSpec]:
    for kind in (DataKind.BALANCE, *LEDGER_KINDS):
        cron, description = _ACCOUNT_SCHEDULES[kind]
        able = venues_with(kind)
        exchanges = sorted({account.venue for account in accounts} & set(able), key=able.index)
        if exchanges:
            yield _job(
                f"sync_{kind}s_all", kind, description, cron, {"exchanges": exchanges}, timeout_minutes=15
            )


def _upkeep_jobs() -> Iterable[JobSpec]:
    # After the listings, whose new and halted instruments it sees.
    yield _job(
        "sync_subscriptions",
        "subscription",
        "Let the rules of subscriptions choose their symbols anew",
        "10 0 * * *",
        {},
        timeout_minutes=10,
    )
    yield _job(
        "monitor_gaps",
        "gap",
        "Look for missing klines of subscribed symbols, and fetch them",
        "30 3 * * *",
        {},
        timeout_minutes=120,
        category="monitor",
    )
    for job_type, (name, description, cron) in _CLEANUPS.items():
        bounds = CLEANUP_BOUNDS[job_type]
        yield _job(name, job_type, description, cron, bounds, timeout_minutes=240, category="cleanup")


def _job(
    name: str,
    job_type: str,
    description: str,
    cron: str,
    parameters: Mapping[str, Any],
    *,
    timeout_minutes: int,
    category: str = "sync",
) -> JobSpec:
    return JobSpec(
        name=name,
        job_type=job_type,
        job_category=category,
        description=description,
        schedule_type="cron",
        schedule=cron,
        parameters=parameters,
        timeout_seconds=timeout_minutes * _MINUTE_S,
    )
