"""Where a node listens, and whether it may."""

import socket
from pathlib import Path

import pytest

from markethub.config import ServerSettings, Settings
from markethub.control.database import Database, open_database
from markethub.domain.errors import InputError, UnavailableError
from markethub.listening import bind_listener, check_opened_on_purpose, is_open_to_others, url_of
from markethub.services.access import create_first_admin, create_token, list_tokens, revoke_token


@pytest.mark.parametrize(
    ("host", "is_open", "shown"),
    [
        ("127.0.0.1", False, "127.0.0.1"),
        ("127.9.9.9", False, "127.9.9.9"),
        ("localhost", False, None),
        ("0.0.0.0", True, "127.0.0.1"),
        ("0", True, "127.0.0.1"),
    ],
)
def test_it_goes_by_the_address_that_is_bound(host: str, is_open: bool, shown: str | None) -> None:
    with bind_listener(host, 0) as listener:
        assert is_open_to_others(listener) == is_open
        port = listener.getsockname()[1]
        if shown is not None:
            assert url_of(listener) == f"http://{shown}:{port}"


class Bound(socket.socket):
    """A socket that says it is bound to an address this machine may not have."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def getsockname(self) -> tuple[str, int]:
        return self._address, 11183


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("192.168.1.5", True),
        ("10.0.0.1", True),
        ("203.0.113.9", True),
        ("169.254.1.1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("2001:db8::1", True),
        ("::ffff:192.168.1.5", True),
        ("::", True),
        ("::1", False),
        ("::ffff:127.3.2.1", False),
    ],
)
def test_private_networks_are_open_too(address: str, is_open: bool) -> None:
    with Bound(address) as listener:
        assert is_open_to_others(listener) == is_open


@pytest.mark.parametrize(("address", "shown"), [("::", "[::1]"), ("::1", "[::1]"), ("fd00::1", "[fd00::1]")])
def test_an_address_of_six_is_called_in_brackets(address: str, shown: str) -> None:
    with Bound(address) as listener:
        assert url_of(listener) == f"http://{shown}:11183"


@pytest.mark.parametrize("host", ["", "a..b", "203.0.113.9", "x" * 300])
def test_a_host_that_is_not_here_is_a_plain_error(host: str) -> None:
    with pytest.raises(UnavailableError, match="cannot listen on"):
        bind_listener(host, 0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", server=ServerSettings(host="0.0.0.0"))


async def test_a_new_folder_is_refused_and_stays_as_it_is(settings: Settings) -> None:
    with pytest.raises(InputError, match=r"'0\.0\.0\.0'.*markethub token create"):
        await check_opened_on_purpose(settings)
    assert not settings.data_dir.exists()


async def _open(settings: Settings) -> Database:
    settings.data_dir.mkdir()
    return await open_database(settings.control_url)


async def test_only_a_token_that_someone_made_and_that_works_opens_it(settings: Settings) -> None:
    database = await _open(settings)
    now_ms = database.clock()
    try:
        assert await create_first_admin(database, now_ms) is not None
        with pytest.raises(InputError, match="no token"):
            await check_opened_on_purpose(settings)
        await create_token(
            database, now_ms - 10_000, name="old", scopes=["read:data"], expires_ms=now_ms - 1_000
        )
        with pytest.raises(InputError, match="expired"):
            await check_opened_on_purpose(settings)
        await create_token(database, now_ms, name="desk", scopes=["read:data"], expires_ms=now_ms + 3_600_000)
        await check_opened_on_purpose(settings)
        desk = (await list_tokens(database))[-1]
        await revoke_token(database, str(desk.id), now_ms)
        with pytest.raises(InputError, match="revoked"):
            await check_opened_on_purpose(settings)
    finally:
        await database.close()


@pytest.mark.parametrize("name", ["first admin", " first admin "])
async def test_nobody_else_may_be_called_like_the_first_one(settings: Settings, name: str) -> None:
    database = await _open(settings)
    try:
        with pytest.raises(InputError, match="first start"):
            await create_token(database, database.clock(), name=name, scopes=["admin"])
        assert await list_tokens(database) == []
    finally:
        await database.close()
