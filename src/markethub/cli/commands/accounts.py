"""``markethub accounts``."""

import typing

from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl
from markethub.cli.output import Cell, note, print_json, print_table

if typing.TYPE_CHECKING:
    from markethub.client.answers import AccountAnswer

_COLUMNS = ("account", "state", "read", "trade", "withdraw", "ip_bound", "checked", "detail")
_WORDS = {True: "yes", False: "no", None: None}


def accounts(
    *,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List the configured accounts, and what the hub found at its start that their keys may do.

    ok: works. risky: it may withdraw. refused: it does not work, and why. unreachable: the exchange did not
    answer. unchecked: not asked yet.
    """
    with connect(url, config, data_dir) as hub:
        page = hub.accounts()
    if as_json:
        print_json(page)
        return
    if not page["data"]:
        note("no account is configured; set [accounts.EXCHANGE_NAME] in the configuration of the hub")
        return
    print_table(_COLUMNS, [_describe(row) for row in page["data"]])


def _describe(row: "AccountAnswer") -> list[Cell]:
    found = row["rights"]
    rights: list[Cell] = [None] * 4
    if found is not None:
        told = (found["can_read"], found["can_trade"], found["can_withdraw"], found["is_ip_bound"])
        rights = [_WORDS[one] for one in told]
    return [row["account"], row["state"], *rights, row["checked_at"], row["detail"]]
