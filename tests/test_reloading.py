"""Which changed settings need a restart."""

from pydantic import SecretStr

from markethub.config import ControlSettings, JobSettings, SchedulerSettings, ServerSettings, Settings
from markethub.reloading import changed_settings


def test_what_changed_is_named_without_its_value() -> None:
    started = Settings(accounts={"OKX_MM01": {"key_env": "A"}})
    assert changed_settings(started, started) == []
    other = Settings(
        server=ServerSettings(port=5),
        control=ControlSettings(url=SecretStr("postgresql://user:password@host/name")),
        accounts={"OKX_MM01": {"key_env": "B"}, "OKX_MM02": {"key_env": "A"}},
        venues={"BNC": {"base_url": "http://127.0.0.1:1"}},
        scheduler=SchedulerSettings(enabled=not started.scheduler.enabled),
    )
    changed = [
        "accounts.OKX_MM01",
        "accounts.OKX_MM02",
        "control.url",
        "scheduler.enabled",
        "server.port",
        "venues.BNC",
    ]
    assert changed_settings(started, other) == changed
    assert changed_settings(other, started) == changed


def test_what_counts_at_once_is_not_named() -> None:
    started = Settings()
    other = Settings(
        jobs={"mine": JobSettings(type="kline", category="sync")},
        subscriptions={"BNC": ["BTC_USDT"]},
        scheduler=started.scheduler.model_copy(update={"default_jobs": False}),
    )
    assert changed_settings(started, other) == []
