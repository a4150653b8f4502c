import pytest
from sqlalchemy import text

from markethub.control.database import Database
from markethub.control.tokens import (
    Token,
    count_tokens,
    create_token,
    find_token,
    list_tokens,
    note_use,
    parse_token,
    revoke_token,
    use_is_due,
)
from markethub.domain.errors import NotFoundError


async def new(database: Database, **options: int) -> tuple[Token, str]:
    async with database.begin() as connection:
        return await create_token(
            connection, name="mine", scopes=["read:data", "admin"], now_ms=1_000, **options
        )


async def test_a_token_opens_with_its_own_text_only(database: Database) -> None:
    token, full = await new(database)
    other, other_full = await new(database)
    parsed = parse_token(full)
    assert parsed is not None
    assert parsed[0] == token.id
    async with database.read() as connection:
        found = await find_token(connection, parsed[0])
        assert await count_tokens(connection) == 2
        assert await list_tokens(connection) == [token, other]
        assert await find_token(connection, 99) is None
    assert found == token
    assert token.scopes == ("read:data", "admin")
    assert token.accepts(parsed[1], 2_000)
    for wrong in ("", parsed[1][:-1], parsed[1].upper(), other_full.rpartition("_")[2], "é\ud800"):
        assert not token.accepts(wrong, 2_000)


async def test_the_secret_is_long_and_stored_nowhere(database: Database) -> None:
    token, full = await new(database)
    secret = full.rpartition("_")[2]
    assert len(bytes.fromhex(secret)) == 32
    async with database.read() as connection:
        stored = (await connection.execute(text("SELECT * FROM token"))).one()
    assert secret not in str(stored)
    assert token.secret_sha256 not in repr(token)


async def test_a_token_expires_and_is_revoked_for_good(database: Database) -> None:
    token, full = await new(database, expires_ms=5_000)
    secret = full.rpartition("_")[2]
    assert token.accepts(secret, 4_999)
    assert not token.accepts(secret, 5_000)
    async with database.begin() as connection:
        revoked = await revoke_token(connection, token.id, 2_000)
        assert (await revoke_token(connection, token.id, 3_000)).revoked_ms == 2_000
        with pytest.raises(NotFoundError, match="Token not found: 99"):
            await revoke_token(connection, 99, 3_000)
    assert not revoked.accepts(secret, 2_000)


async def test_use_is_noted_once_a_minute(database: Database) -> None:
    token, _ = await new(database)
    seen = []
    async with database.begin() as connection:
        for now_ms in (10_000, 10_001, 69_999, 70_000):
            before = await find_token(connection, token.id)
            assert before is not None
            due = use_is_due(before, now_ms)
            await note_use(connection, token.id, now_ms)
            after = await find_token(connection, token.id)
            assert after is not None
            assert due == (after.last_used_ms != before.last_used_ms)
            seen.append(after.last_used_ms)
    assert seen == [10_000, 10_000, 10_000, 70_000]


@pytest.mark.parametrize(
    "text_",
    [
        "",
        "mh",
        "mh_",
        "mh_1",
        "mh_1_",
        "mh_x_y",
        "mh_-1_y",
        "mh_0_y",
        "xx_1_y",
        "MH_1_y",
        f"mh_{2**63}_y",
        "mh_²_y",
    ],
)
def test_text_that_is_no_token(text_: str) -> None:
    assert parse_token(text_) is None


def test_a_secret_may_hold_underscores() -> None:
    assert parse_token("mh_12_a_b") == (12, "a_b")
