"""Tokens as a process knows them: read rarely, judged always."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control import tokens
from markethub.control.database import Database, open_database
from markethub.domain.errors import InputError, NotFoundError, UnauthorizedError
from markethub.engine.engine import Engine
from markethub.services import access
from markethub.services.access import KnownTokens, authenticate, create_token, revoke_token
from markethub.services.audit import list_audit
from markethub.services.caller import local_caller
from markethub.services.hub import Hub
from tests.bare_hub import StillClock, bare_hub


class Counted:
    """A database that counts what is asked of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reads = 0
        self.writes = 0

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        self.reads += 1
        async with self._database.read() as connection:
            yield connection

    @asynccontextmanager
    async def begin(self, *, durable: bool = False) -> AsyncIterator[AsyncConnection]:
        self.writes += 1
        async with self._database.begin(durable=durable) as connection:
            yield connection


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """On SQLite only: what is stored is tested with its table, here it is who reads when."""
    opened = await open_database(f"sqlite:///{tmp_path / 'control.db'}")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def hub(database: Database, clock: StillClock) -> Hub:
    return bare_hub(database, Engine(database, {}), clock)


@pytest.fixture
def counted(hub: Hub) -> Counted:
    counted = Counted(hub.database)
    object.__setattr__(hub, "database", counted)
    return counted


async def make(database: Database, clock: StillClock, **given: int) -> str:
    text, _ = await create_token(database, clock(), name="desk", scopes=["read:data"], **given)
    return f"Bearer {text}"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading holds for an hour, so that no test depends on how fast the machine is."""
    monkeypatch.setattr(access, "LOOKUP_KEPT_S", 3600.0)


async def test_one_reading_serves_the_requests_that_follow(
    database: Database, hub: Hub, counted: Counted, clock: StillClock
) -> None:
    header, known = await make(database, clock), KnownTokens()
    for _ in range(20):
        principal = await authenticate(hub, header, known)
    assert (principal.name, list(principal.scopes)) == ("desk", ["read:data"])
    assert (counted.reads, counted.writes) == (1, 1)  # the write says when it was last used


async def test_without_a_memory_each_request_reads(
    database: Database, hub: Hub, counted: Counted, clock: StillClock
) -> None:
    header = await make(database, clock)
    for _ in range(3):
        await authenticate(hub, header)
    assert (counted.reads, counted.writes) == (3, 1)


async def test_the_use_is_noted_once_a_minute_however_many_come(
    database: Database, hub: Hub, counted: Counted, clock: StillClock
) -> None:
    header, known = await make(database, clock), KnownTokens()
    await authenticate(hub, header, known)
    clock.now_ms += 60_000
    await asyncio.gather(*(authenticate(hub, header, known) for _ in range(50)))
    assert counted.writes == 2
    async with database.read() as connection:
        (row,) = await tokens.list_tokens(connection)
    assert row.last_used_ms == clock()


async def test_a_remembered_token_still_needs_its_secret(
    database: Database, hub: Hub, clock: StillClock
) -> None:
    header, known = await make(database, clock), KnownTokens()
    await authenticate(hub, header, known)
    with pytest.raises(UnauthorizedError):
        await authenticate(hub, header[:-1] + ("0" if header[-1] != "0" else "1"), known)


async def test_a_remembered_token_expires_to_the_millisecond(
    database: Database, hub: Hub, clock: StillClock
) -> None:
    header, known = await make(database, clock, expires_ms=clock() + 1_000), KnownTokens()
    clock.now_ms += 999
    await authenticate(hub, header, known)
    clock.now_ms += 1
    with pytest.raises(UnauthorizedError, match="expired"):
        await authenticate(hub, header, known)


async def test_what_is_not_there_is_not_remembered(database: Database, hub: Hub, counted: Counted) -> None:
    known = KnownTokens()
    for number in range(1, 20):
        with pytest.raises(UnauthorizedError):
            await authenticate(hub, f"Bearer mh_{number}_{'a' * 64}", known)
    assert counted.reads == 19
    assert not known._read


async def test_the_memory_has_an_end(
    database: Database, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_MOST_KNOWN", 3)
    known = KnownTokens()
    for number in range(1, 9):
        await make(database, clock)
        assert await known.find(database, number) is not None
        assert len(known._read) <= 3


async def test_a_revoked_token_is_refused_everywhere_once_that_is_said(
    database: Database, hub: Hub, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "LOOKUP_KEPT_S", 0.5)
    header, known = await make(database, clock), KnownTokens()
    revoking = asyncio.create_task(revoke_token(database, "1", clock()))
    let_in = 0
    while not revoking.done():
        try:
            await authenticate(hub, header, known)
            let_in += 1
        except UnauthorizedError:
            pass
    await revoking
    assert let_in > 0
    with pytest.raises(UnauthorizedError):
        await authenticate(hub, header, known)


async def test_tokens_and_their_ends_are_noted_with_the_user(
    database: Database, hub: Hub, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "LOOKUP_KEPT_S", 0.0)
    await make(database, clock, requests_per_minute=60, expires_ms=clock() + 3_600_000)
    await revoke_token(database, "1", clock())
    revoked, created = (await list_audit(hub)).rows
    assert (created.action, created.target, created.token_id) == ("token.create", "1", None)
    assert created.details == {
        "name": "desk",
        "scopes": ["read:data"],
        "expires_at": "2026-01-01T01:00:00Z",
        "requests_per_minute": 60,
    }
    assert (revoked.action, revoked.target, revoked.details) == ("token.revoke", "1", {"name": "desk"})
    assert (revoked.token_name, revoked.address) == (local_caller().token_name, "local")
    assert revoked.token_name.startswith("local:")


@pytest.mark.parametrize("token_id", ["2", "x", "-1", "9" * 40])
async def test_a_revocation_of_nothing_is_not_noted(database: Database, hub: Hub, token_id: str) -> None:
    with pytest.raises(NotFoundError):
        await revoke_token(database, token_id, 1_000)
    assert (await list_audit(hub)).total == 0


@pytest.mark.parametrize("number", [0, -1, 1_000_001])
async def test_a_number_of_requests_that_makes_no_sense_is_refused(
    database: Database, clock: StillClock, number: int
) -> None:
    with pytest.raises(InputError, match="requests_per_minute"):
        await make(database, clock, requests_per_minute=number)
