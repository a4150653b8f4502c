"""OKX accounts over a socket: rights, balances, refusals in words, and budgets by account."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from markethub.domain.errors import InputError, KeyRefusedError, PermissionRefusedError
from markethub.domain.symbol import Account
from markethub.domain.times import from_ms, parse_time
from markethub.ports.keys import ApiKey
from markethub.ports.venue import AccountSource, KeyRights, Venue
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.sandbox.accounts import ACCOUNTS, SandboxAccount
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.okx.wallets import E18, Wallets
from markethub.venues.okx import create_venue
from tests.budgets import budget_of

START = parse_time("2025-03-10T12:34:20.123Z")
TIME = "/api/v5/public/time"
CONFIG, BALANCE, FUNDS = "/api/v5/account/config", "/api/v5/account/balance", "/api/v5/asset/balances"
KNOWN = {one.name: one for one in ACCOUNTS if one.venue == "OKX"}


class HandClock:
    """Stands still until a test moves it; ``stray_ms`` is added after each time it tells."""

    def __init__(self) -> None:
        self.now_ms = START
        self.stray_ms = 0

    def __call__(self) -> int:
        self.now_ms += self.stray_ms
        return self.now_ms


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def sandbox(clock: HandClock) -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings(clock=clock)) as running:
        yield running


@pytest.fixture
async def venue(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": sandbox.url, "quick_retries": "0"})
    yield venue
    await venue.close()


def key_of(one: SandboxAccount, **changes: str) -> ApiKey:
    parts = {"key": one.key, "secret": one.secret, "passphrase": one.passphrase} | changes
    return ApiKey(**parts)


def source(venue: Venue, name: str, **changes: str) -> AccountSource:
    return venue.account(Account("OKX", name), key_of(KNOWN[name], **changes))


@pytest.mark.parametrize(
    ("name", "rights"),
    [
        ("MM01", KeyRights(can_read=True, can_trade=True, can_withdraw=False, is_ip_bound=False)),
        ("EMPTY", KeyRights(can_read=True, can_trade=False, can_withdraw=False, is_ip_bound=False)),
        ("RICH", KeyRights(can_read=True, can_trade=True, can_withdraw=True, is_ip_bound=False)),
    ],
)
async def test_what_a_key_may_do(venue: Venue, name: str, rights: KeyRights) -> None:
    assert await source(venue, name).rights() == rights


async def test_both_wallets_at_one_time_and_to_the_last_decimal(
    sandbox: RunningSandbox, venue: Venue, clock: HandClock
) -> None:
    account = source(venue, "MM01")
    # Our reckoning of the venue's clock stands still as the venue's does.
    account._clock._monotonic = lambda: 0.0  # type: ignore[attr-defined]
    rows = (await account.balances()).to_pylist()
    truth = Wallets(7, SymbolCatalog())
    for wallet, held in (
        ("trading", truth.trading(KNOWN["MM01"], clock.now_ms)),
        ("funding", truth.funding(KNOWN["MM01"], clock.now_ms)),
    ):
        found = [row for row in rows if row["wallet"] == wallet]
        assert len(found) >= 12
        assert {row["asset"]: (row["free"], row["locked"], row["total"]) for row in found} == {
            one.asset: (exact(one.free_e18), exact(one.locked_e18), exact(one.total_e18))
            for one in held
            if one.total_e18
        }
    assert {row["time"] for row in rows} == {from_ms(START)}
    assert {row["account"] for row in rows} == {"OKX_MM01"}
    assert any(row["total"] % Decimal("1e-15") for row in rows), "more decimals than a float keeps"
    assert max(row["total"] for row in rows) > Decimal(10) ** 19
    assert dict(sandbox.stats.requests) == {TIME: 1, BALANCE: 1, FUNDS: 1}


def exact(amount_e18: int) -> Decimal:
    return Decimal(f"{amount_e18 // E18}.{amount_e18 % E18:018d}")


async def test_empty_balances_are_an_empty_table(venue: Venue) -> None:
    table = await source(venue, "EMPTY").balances()
    assert len(table) == 0
    assert "free" in table.column_names


async def test_a_key_that_may_not_read(venue: Venue) -> None:
    for call in (source(venue, "BLIND").rights, source(venue, "BLIND").balances):
        with pytest.raises(
            PermissionRefusedError, match=r"OKX_BLIND.*50120 .*: give the key the permission to read"
        ):
            await call()


async def test_a_key_of_other_addresses(venue: Venue) -> None:
    with pytest.raises(PermissionRefusedError, match=r"OKX_ELSEWHERE.*50110 .*: add this machine's address"):
        await source(venue, "ELSEWHERE").balances()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"secret": "another"}, r"50113 .*: the signature does not fit; check the secret"),
        ({"passphrase": "another"}, r"50105 .*: the passphrase is wrong"),
        ({"key": "no-such-key"}, r"50119 .*: the key does not exist at this site.*base_url"),
        ({"key": "is_no_key_at_all"}, r"50111 .*: this is not a key of OKX"),
    ],
)
async def test_a_wrong_key_is_told_in_words(venue: Venue, changes: dict[str, str], words: str) -> None:
    with pytest.raises(KeyRefusedError, match=f"OKX_MM01: HTTP [0-9]+ {words}") as caught:
        await source(venue, "MM01", **changes).balances()
    for part in (KNOWN["MM01"].secret, KNOWN["MM01"].passphrase, "another"):
        assert part not in str(caught.value)


async def test_a_real_key_is_not_one_of_demo_trading(sandbox: RunningSandbox) -> None:
    venue = create_venue({"base_url": sandbox.url, "simulated": "true"})
    with pytest.raises(KeyRefusedError, match=r"50101 .*option simulated"):
        await source(venue, "MM01").rights()
    await venue.close()


async def test_a_time_that_is_refused_is_measured_again(
    sandbox: RunningSandbox, venue: Venue, clock: HandClock
) -> None:
    asked = source(venue, "MM01")
    await asked.rights()
    clock.now_ms += 40_000  # as if our clock had stood still for so long
    assert (await asked.rights()).can_read
    assert sandbox.stats.requests[TIME] == 2
    assert sandbox.stats.replies[CONFIG, 401] == 1


async def test_a_time_that_stays_refused_is_an_error(
    sandbox: RunningSandbox, venue: Venue, clock: HandClock
) -> None:
    clock.stray_ms = 40_000
    with pytest.raises(KeyRefusedError, match=r"50102 .*time of this machine"):
        await source(venue, "MM01").rights()
    assert sandbox.stats.replies[CONFIG, 401] == 2


async def test_requests_are_dated_by_the_venues_clock(venue: Venue, clock: HandClock) -> None:
    clock.now_ms = parse_time("2031-01-01")
    assert (await source(venue, "MM01").rights()).can_read


async def test_sources_of_one_account_share_its_budgets_and_others_have_their_own(venue: Venue) -> None:
    await source(venue, "MM01").rights()
    await source(venue, "MM01").rights()
    source(venue, "RICH")
    config = budget_of(venue, "MM01 account/config")
    assert (config.name, config.used, config.limit) == ("OKX MM01 account/config", 2, 5)
    assert budget_of(venue, "RICH account/config").used == 0
    funds = budget_of(venue, "MM01 asset/balances")
    assert (funds.limit, funds.window_s) == (6, 1.0)
    assert budget_of(venue, "MM01 account/balance").limit == 10


async def test_the_budget_of_an_account_waits_and_is_never_refused(sandbox: RunningSandbox) -> None:
    # Real windows of a real clock: more rights than an account may ask for in two seconds.
    async with running_sandbox(SandboxSettings()) as real:
        venue = create_venue({"base_url": real.url})
        for _ in range(7):
            await source(venue, "MM01").rights()
        assert real.stats.requests[CONFIG] == 7
        assert real.stats.replies[CONFIG, 429] == 0
        await venue.close()


async def test_accounts_of_others_and_keys_without_all_parts_are_refused(venue: Venue) -> None:
    with pytest.raises(InputError, match="BNC_MM01 is not one of OKX"):
        venue.account(Account("BNC", "MM01"), key_of(KNOWN["MM01"]))
    with pytest.raises(InputError, match="no passphrase"):
        venue.account(Account("OKX", "MM01"), ApiKey("k", "s"))
