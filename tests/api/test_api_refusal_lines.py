"""What is refused leaves a log line that says whom, and a flood leaves few."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from markethub.api.access import AccessRules
from markethub.api.app import create_api
from markethub.control.database import Database, open_database
from markethub.engine.engine import Engine
from markethub.services.access import create_token
from tests.bare_hub import bare_hub
from tests.own_logs import own_logs

FROM = ("203.0.113.9", 4711)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path / 'control.db'}")
    yield opened
    await opened.close()


@pytest.fixture
def app(database: Database) -> FastAPI:
    rules = AccessRules(requests_per_minute=1, burst_requests=3, failed_logins_per_minute=2)
    return create_api(bare_hub(database, Engine(database, {}), database.clock), access=rules)


@pytest.fixture
async def desk(database: Database) -> dict[str, str]:
    text, _ = await create_token(database, database.clock(), name="desk", scopes=["write:backfill"])
    return {"Authorization": f"Bearer {text}"}


async def lines_of(app: FastAPI, *requests: tuple[str, str, dict[str, str]]) -> list[dict[str, Any]]:
    """What the requests left in the log, but for the debug lines that every request leaves."""
    transport = httpx2.ASGITransport(app, client=FROM)
    with own_logs() as lines:
        async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:
            for method, path, headers in requests:
                await client.request(method, path, headers=headers)
    return [dict(line) for line in lines if line["log_level"] != "debug"]


async def test_a_refused_write_says_whose_it_was(app: FastAPI, desk: dict[str, str]) -> None:
    (line,) = await lines_of(app, ("POST", "/api/v1/executions/5/cancel", desk))
    assert line == {
        "event": "request_refused",
        "log_level": "info",
        "method": "POST",
        "route": "/api/v1/executions/{execution_id}/cancel",
        "status": 404,
        "token": "desk",
        "address": "203.0.113.9",
    }


async def test_a_stranger_has_an_address_only(app: FastAPI) -> None:
    (line,) = await lines_of(app, ("GET", "/api/v1/jobs", {}))
    assert (line["status"], line["token"], line["address"]) == (401, None, "203.0.113.9")


async def test_a_lacking_scope_is_told_for_reads_too(app: FastAPI, desk: dict[str, str]) -> None:
    (line,) = await lines_of(app, ("GET", "/api/v1/jobs", desk))
    assert (line["status"], line["token"]) == (403, "desk")


async def test_reads_that_are_wrong_are_nobodys_business(app: FastAPI) -> None:
    assert await lines_of(app, ("GET", "/nowhere", {}), ("OPTIONS", "/api/v1/jobs", {})) == []


async def test_strangers_fill_no_log(app: FastAPI) -> None:
    lines = await lines_of(app, *[("POST", "/api/v1/backfill/klines", {})] * 50)
    assert [line["status"] for line in lines] == [401, 401]


async def test_a_limited_token_is_told_once(app: FastAPI, desk: dict[str, str]) -> None:
    lines = await lines_of(app, *[("POST", "/api/v1/executions/5/cancel", desk)] * 50)
    assert [line["event"] for line in lines] == ["request_refused"] * 3 + ["token_limited"]
    assert lines[-1] == {
        "event": "token_limited",
        "log_level": "warning",
        "token": "desk",
        "requests_per_minute": 1,
        "burst": 3,
    }
