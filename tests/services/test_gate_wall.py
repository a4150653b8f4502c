"""A request that reaches back too far for Gate's REST, through the whole service."""

from datetime import UTC, datetime
from typing import Any

from markethub.app import open_hub
from markethub.config import Settings
from markethub.domain.execution import ExecutionStatus
from markethub.sandbox import RunningSandbox
from markethub.services.backfill import queue_kline_backfill
from markethub.services.hub import Hub
from markethub.services.klines import list_series

DAY_MS = 86_400_000
SYMBOL = "BTC_USDT.GIO"


def last_midnight_ms(hub: Hub) -> int:
    return hub.clock() // DAY_MS * DAY_MS


async def backfill(hub: Hub, end_ms: int, days: int) -> tuple[ExecutionStatus, str, dict[str, Any]]:
    """Minutes of ``days`` whole days: status, error and result."""
    queued = await queue_kline_backfill(
        hub,
        exchanges=None,
        symbols=[SYMBOL],
        intervals=["1m"],
        start_ms=end_ms - days * DAY_MS,
        end_ms=end_ms,
    )
    ended = await hub.engine.wait(queued.execution_id, 60)
    return ended.status, ended.error or "", dict(ended.result or {})


async def test_the_failure_says_from_when_bars_can_be_had_and_those_are_there(hub: Hub) -> None:
    end_ms = last_midnight_ms(hub)
    status, error, result = await backfill(hub, end_ms, 30)
    assert status is ExecutionStatus.FAILURE
    assert "Gate.io tells 1m bars of BTC_USDT.GIO over REST only from 20" in error
    assert "switch on the venue's bulk files" in error
    assert [failure["chunk"] for failure in result["failures"]] == [f"{SYMBOL} 1m"]
    (summary,) = await list_series(hub)
    assert 6.9 * 1440 - 60 < summary.rows + (hub.clock() - end_ms) / 60_000 < 10_000
    assert result["inserted"] == summary.rows


async def test_with_bulk_files_the_same_request_succeeds(settings: Settings, sandbox: RunningSandbox) -> None:
    options = settings.venues["GIO"] | {"bulk_files": "true", "bulk_volume": "base", "bulk_url": sandbox.url}
    with_files = settings.model_copy(update={"venues": settings.venues | {"GIO": options}})
    async with open_hub(with_files) as hub:
        status, error, result = await backfill(hub, last_midnight_ms(hub), 30)
        assert (status, error) == (ExecutionStatus.SUCCESS, "")
        assert result["inserted"] == 30 * 1440
        (summary,) = await list_series(hub)
        assert datetime.fromtimestamp((summary.last_ms or 0) / 1000, UTC).strftime("%H:%M") == "23:59"
