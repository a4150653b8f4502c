"""What keys may do, in words a person can act on, and nothing of the keys themselves."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from markethub.app import load_venues, open_accounts, open_hub
from markethub.config import AccountSettings, Settings
from markethub.domain.errors import InputError
from markethub.domain.symbol import Account
from markethub.jobs.accounts import AccountAccess
from markethub.ports.venue import KeyRights
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.sandbox.accounts import ACCOUNTS
from markethub.services.accounts import AccountBook, KeyState, inspect_accounts
from tests.jobs.fake_venues import NOW_MS, FakeAccount, FakeVenue, Keys, venues_of
from tests.sandbox_keys import write_keys


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings(okx_limits_enforced=False)) as running:
        yield running


def settings_of(folder: Path, url: str, accounts: dict[str, AccountSettings]) -> Settings:
    return Settings(
        data_dir=folder / "data",
        venues={
            "BNC": {"base_url": url, "archive_url": url},
            "OKX": {"base_url": url, "quick_retries": "0"},
            "GIO": {"base_url": f"{url}/api/v4"},
        },
        accounts=accounts,
    )


async def test_every_kind_of_key_is_told_apart_and_no_key_is_told(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    accounts = write_keys(tmp_path / "keys")
    strangers = tmp_path / "keys" / "stranger.toml"
    strangers.write_text(
        'key = "no-such-key-0001"\nsecret = "no-such-secret"\npassphrase = "no-such-phrase"\n'
    )
    strangers.chmod(0o600)
    accounts |= {
        "OKX_STRANGER": AccountSettings(key_file=strangers),
        "OKX_NOWHERE": AccountSettings(key_file=tmp_path / "missing.toml"),
    }
    async with open_hub(settings_of(tmp_path, sandbox.url, accounts)) as hub:
        assert {report.state for report in hub.accounts.reports()} == {KeyState.UNCHECKED}
        with capture_logs() as logs:
            await hub.accounts.check()
        reports = {str(report.account): report for report in hub.accounts.reports()}
    for venue in ("BNC", "OKX"):
        assert reports[f"{venue}_MM01"].state is KeyState.OK
        assert reports[f"{venue}_EMPTY"].state is KeyState.OK
        rich = reports[f"{venue}_RICH"]
        assert rich.state is KeyState.RISKY
        assert "can withdraw" in rich.detail
        assert rich.rights is not None
        assert rich.rights.can_withdraw
        for name, words in (("BLIND", "permission"), ("ELSEWHERE", "address")):
            assert reports[f"{venue}_{name}"].state is KeyState.REFUSED
            assert words in reports[f"{venue}_{name}"].detail
    assert reports["OKX_STRANGER"].state is KeyState.REFUSED
    assert reports["OKX_NOWHERE"].state is KeyState.REFUSED
    assert "missing.toml cannot be opened" in reports["OKX_NOWHERE"].detail

    by_account = {line["account"]: line for line in logs if "account" in line}
    assert by_account["OKX_RICH"]["log_level"] == "warning"
    assert by_account["OKX_BLIND"]["log_level"] == "error"
    assert by_account["OKX_MM01"]["log_level"] == "info"
    # OKX's own words about an address quote the whole key.
    told = repr([list(reports.values()), logs])
    for account in ACCOUNTS:
        for part in (account.key, account.secret, account.passphrase):
            assert not part or part not in told
    assert "no-such" not in told


async def test_an_exchange_that_does_not_answer_is_no_fault_of_the_key() -> None:
    class Hanging(FakeAccount):
        async def rights(self) -> KeyRights:
            await asyncio.get_running_loop().create_future()
            raise AssertionError("nobody sets this future")

    access = AccountAccess(venues_of(OKX=FakeVenue(accounts={"MM01": Hanging()})), Keys("OKX_MM01"))
    [report] = await inspect_accounts(access, lambda: NOW_MS, timeout_s=0.01)
    assert report.state is KeyState.UNREACHABLE
    assert "OKX did not answer within 0.01 s" in report.detail
    assert report.checked_ms == NOW_MS


@pytest.mark.parametrize(
    ("rights", "state", "words"),
    [
        (KeyRights(True, False, False, True), KeyState.OK, ""),
        (KeyRights(None, None, None, None), KeyState.OK, ""),
        (KeyRights(True, True, True, True), KeyState.RISKY, "can only read"),
        (KeyRights(True, True, True, False), KeyState.RISKY, "bind it to this machine's address"),
        (KeyRights(False, True, False, True), KeyState.REFUSED, "may not read"),
    ],
)
async def test_rights_are_judged(rights: KeyRights, state: KeyState, words: str) -> None:
    venue = FakeVenue(accounts={"MM01": FakeAccount(rights_found=rights)})
    book = AccountBook(AccountAccess(venues_of(OKX=venue), Keys("OKX_MM01")), lambda: NOW_MS)
    await book.check()
    [report] = book.reports()
    assert (report.state, report.rights) == (state, rights)
    assert words in report.detail


@pytest.mark.parametrize("name", ["GIO_MM01", "XXX_MM01"])
def test_an_account_where_there_is_no_account_data_stops_the_start(name: str) -> None:
    venues = load_venues({})
    settings = Settings(accounts={name: AccountSettings(key_env="A")})
    with pytest.raises(
        InputError, match=rf"setting accounts.{name}: exchange {name[:3]} has no account data"
    ):
        open_accounts(settings, venues)
    fine = Settings(accounts={"OKX_MM01": AccountSettings(key_env="A")})
    assert open_accounts(fine, venues).accounts() == [Account("OKX", "MM01")]
