"""What the exchanges allow, as the API tells it."""

import json
from types import SimpleNamespace
from typing import Any

from markethub.api.limits import show_limits
from markethub.domain.times import parse_time
from markethub.ports.venue import VenueLimits

CLOSED_MS = parse_time("2026-01-01T00:00:05Z")


async def answer(**budgets: list[VenueLimits]) -> list[dict[str, Any]]:
    """The list that a hub with these exchanges would send."""
    hub: Any = SimpleNamespace(
        venues={
            code: SimpleNamespace(limits=lambda limits=limits: limits) for code, limits in budgets.items()
        }
    )
    data: list[dict[str, Any]] = json.loads((await show_limits(hub)).model_dump_json())["data"]
    return data


async def test_each_budget_is_told_under_its_exchange() -> None:
    okx = VenueLimits("OKX market/candles", 3, 40, 2.0, 0, None, is_banned=False, fleet_used=7)
    banned = VenueLimits("BNC request weight", 600, 6000, 60.0, 12, CLOSED_MS, is_banned=True)
    unlimited = VenueLimits("BNC archive", 1, None, 60.0, 0, CLOSED_MS, is_banned=False)
    assert await answer(OKX=[okx], BNC=[banned, unlimited]) == [
        {
            "exchange": "BNC",
            "budget": "request weight",
            "used": 600,
            "limit": 6000,
            "window_seconds": 60.0,
            "fleet_used": None,
            "waiting": 12,
            "closed_until": "2026-01-01T00:00:05Z",
            "banned": True,
        },
        {
            "exchange": "BNC",
            "budget": "archive",
            "used": 1,
            "limit": None,
            "window_seconds": 60.0,
            "fleet_used": None,
            "waiting": 0,
            "closed_until": "2026-01-01T00:00:05Z",
            "banned": False,
        },
        {
            "exchange": "OKX",
            "budget": "market/candles",
            "used": 3,
            "limit": 40,
            "window_seconds": 2.0,
            "fleet_used": 7,
            "waiting": 0,
            "closed_until": None,
            "banned": False,
        },
    ]


async def test_a_hub_without_exchanges_has_no_limits() -> None:
    assert await answer() == []
