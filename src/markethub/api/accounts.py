"""The configured accounts."""

from fastapi import APIRouter, Depends

from markethub.api.access import OpenHub, needs
from markethub.api.openapi import document_errors
from markethub.services.accounts import AccountReport
from markethub.wire.accounts import Account, AccountList, KeyRights

router = APIRouter(prefix="/api/v1", tags=["operations"])


@router.get(
    "/accounts",
    summary="List configured accounts",
    dependencies=[Depends(needs("read:jobs"))],
    responses=document_errors(401, 403, 503),
)
async def list_accounts(hub: OpenHub) -> AccountList:
    """The accounts of the configuration, and what their keys were found to be at start. Scope `read:jobs`.

    Nothing of a key is shown, nor where it is kept.
    """
    return AccountList(data=[_account(report) for report in hub.accounts.reports()])


def _account(report: AccountReport) -> Account:
    rights = report.rights
    return Account(
        account=str(report.account),
        exchange=report.account.venue,
        state=report.state,
        detail=report.detail,
        rights=None
        if rights is None
        else KeyRights(
            can_read=rights.can_read,
            can_trade=rights.can_trade,
            can_withdraw=rights.can_withdraw,
            is_ip_bound=rights.is_ip_bound,
        ),
        checked_at=report.checked_ms,
    )
