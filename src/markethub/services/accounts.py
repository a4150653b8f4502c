"""The configured accounts, and what their keys may do."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

import structlog

from markethub.domain.errors import InputError, KeyRefusedError, MarketHubError, PermissionRefusedError
from markethub.domain.symbol import Account
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.asking import asking
from markethub.ports.clock import Clock
from markethub.ports.venue import KeyRights

CHECK_TIMEOUT_S = 10.0
_ASKER = "account check"

_log = structlog.get_logger("markethub.accounts")


class KeyState(StrEnum):
    """``risky`` works but may do more than it should; ``refused`` does not work; the others may change."""

    OK = "ok"
    RISKY = "risky"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class AccountReport:
    """One account as its exchange told last; ``detail`` says what to do, empty where there is nothing."""

    account: Account
    state: KeyState
    detail: str = ""
    rights: KeyRights | None = None
    checked_ms: int | None = None


class AccountBook:
    """The configured accounts with their reports; nothing of a key is ever in it."""

    def __init__(self, access: AccountAccess, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._reports = {account: AccountReport(account, KeyState.UNCHECKED) for account in access.accounts()}

    def accounts(self) -> list[Account]:
        """The configured accounts, ascending."""
        return list(self._reports)

    def reports(self) -> list[AccountReport]:
        """What is known of each, ascending; asks nobody."""
        return list(self._reports.values())

    async def check(self, timeout_s: float = CHECK_TIMEOUT_S) -> None:
        """Ask the exchanges what each key may do; keep the answers, and log them."""
        for report in await inspect_accounts(self._access, self._clock, timeout_s):
            self._reports[report.account] = report
            _tell(report)


async def inspect_accounts(
    access: AccountAccess, clock: Clock, timeout_s: float = CHECK_TIMEOUT_S
) -> list[AccountReport]:
    """What the exchanges, asked side by side, say of each configured account's key, ascending by account.

    A failure is an answer too: what an exchange or a key does raises nothing.
    """
    with asking(_ASKER, is_fresh=True):
        return await asyncio.gather(
            *(_inspect(access, account, clock, timeout_s) for account in access.accounts())
        )


async def _inspect(access: AccountAccess, account: Account, clock: Clock, timeout_s: float) -> AccountReport:
    rights = None
    try:
        async with asyncio.timeout(timeout_s):
            source = await access.open(account)
            rights = await source.rights()
    except TimeoutError:
        state, detail = KeyState.UNREACHABLE, f"{account.venue} did not answer within {timeout_s:g} s"
    except (InputError, KeyRefusedError, PermissionRefusedError) as error:
        state, detail = KeyState.REFUSED, str(error)
    except MarketHubError as error:
        state, detail = KeyState.UNREACHABLE, str(error)
    else:
        state, detail = _judge(rights)
    return AccountReport(account, state, detail, rights, clock())


def _judge(rights: KeyRights) -> tuple[KeyState, str]:
    if rights.can_read is False:
        return KeyState.REFUSED, "the key may not read: give it that right at the exchange"
    if rights.can_withdraw:
        words = "the key can withdraw: replace it by one that can only read"
        if not rights.is_ip_bound:
            words += ", and bind it to this machine's address"
        return KeyState.RISKY, words
    return KeyState.OK, ""


def _tell(report: AccountReport) -> None:
    account = str(report.account)
    match report.state:
        case KeyState.RISKY:
            _log.warning("account key is risky", account=account, detail=report.detail)
        case KeyState.REFUSED:
            _log.error("account key does not work", account=account, detail=report.detail)
        case KeyState.UNREACHABLE:
            _log.warning("account key could not be checked", account=account, detail=report.detail)
        case _:
            _log.info("account key works", account=account)
