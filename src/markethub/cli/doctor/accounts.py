"""The configured accounts and their keys."""

from collections.abc import Mapping, Sequence

from markethub.app import open_accounts
from markethub.cli.doctor.finding import Finding, fail, ok, warn
from markethub.config import Settings
from markethub.domain.errors import InputError
from markethub.ports.clock import system_clock
from markethub.ports.venue import Venue
from markethub.services.accounts import AccountReport, KeyState, inspect_accounts


async def check_accounts(settings: Settings, venues: Mapping[str, Venue]) -> Sequence[Finding]:
    """One finding per account: its key can be had, works, and may do no more than it should."""
    try:
        access = open_accounts(settings, venues)
    except InputError as error:
        return [fail("accounts", str(error), "correct the settings below [accounts]")]
    return [_describe(report) for report in await inspect_accounts(access, system_clock)]


def _describe(report: AccountReport) -> Finding:
    name = f"account {report.account}"
    match report.state:
        case KeyState.OK:
            return ok(name, "its key works")
        case KeyState.RISKY:
            return warn(name, report.detail, "whoever comes by this key can take the money away")
        case KeyState.REFUSED:
            return fail(
                name, report.detail, f"look at [accounts.{report.account}] and at the key's page there"
            )
    return warn(name, report.detail, "look at network, proxy and firewall; without any, use --offline")
