"""OKX's private endpoints for balances and the key's rights, below ``/api/v5``.

Source: "Get balance" of the trading and of the funding account, and "Get account configuration", of the OKX
API v5 guide.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import orjson
from aiohttp import web

from markethub.sandbox.accounts import SandboxAccount
from markethub.sandbox.okx.account_gate import AccountGate
from markethub.sandbox.okx.refusals import refuse_wrong, reply
from markethub.sandbox.okx.wallets import E18, Holding, Wallets, print_e18
from markethub.sandbox.settings import Clock

_MOST_ASSETS: Final = 20
_RIGHTS: Final = (("read", "read_only"), ("withdraw", "withdraw"), ("trade", "trade"))
# What means nothing in spot mode is an empty text.
_EMPTY_ACCOUNT: Final = ("adjEq", "imr", "mgnRatio", "mmr", "notionalUsd", "ordFroz")
_EMPTY_DETAIL: Final = (
    "availEq", "borrowFroz", "crossLiab", "interest", "isoLiab", "liab", "maxLoan", "mgnRatio",
    "spotInUseAmt", "uplLiab",
)  # fmt: skip
_ZERO_DETAIL: Final = ("fixedBal", "isoEq", "isoUpl", "notionalLever", "stgyEq", "twap", "upl")


class AccountRoutes:
    """The handlers of one sandbox."""

    def __init__(self, clock: Clock, gate: AccountGate, wallets: Wallets) -> None:
        self._clock = clock
        self._gate = gate
        self._wallets = wallets

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/account/config", self._gate.guard(self._config))
        app.router.add_get("/account/balance", self._gate.guard(self._trading))
        app.router.add_get("/asset/balances", self._gate.guard(self._funding))

    async def _config(self, _: web.Request, account: SandboxAccount) -> web.Response:
        uid = uid_of(account)
        entry = {
            "acctLv": "1",
            "autoLoan": False,
            "ctIsoMode": "automatic",
            "enableSpotBorrow": False,
            "greeksType": "PA",
            "ip": ",".join(sorted(account.allowed_addresses)),
            "kycLv": "3",
            "label": account.name,
            "level": "Lv1",
            "levelTmp": "",
            "mainUid": uid,
            "mgnIsoMode": "automatic",
            "opAuth": "0",
            "perm": ",".join(word for right, word in _RIGHTS if right in account.rights),
            "posMode": "net_mode",
            "roleType": "0",
            "spotOffsetType": "",
            "spotRoleType": "0",
            "spotTraderInsts": [],
            "traderInsts": [],
            "type": "0",
            "uid": uid,
        }
        return reply([orjson.dumps(entry)])

    async def _trading(self, request: web.Request, account: SandboxAccount) -> web.Response:
        now_ms = self._clock()
        held = _select(request, self._wallets.trading(account, now_ms))
        dollars = sum(_value(one) for one in held)
        entry = dict.fromkeys(_EMPTY_ACCOUNT, "") | {
            "details": [_describe(one) for one in held],
            "isoEq": "0",
            "totalEq": str(dollars),
            "uTime": str(now_ms),
        }
        return reply([orjson.dumps(entry)])

    async def _funding(self, request: web.Request, account: SandboxAccount) -> web.Response:
        held = _select(request, self._wallets.funding(account, self._clock()))
        return reply(
            orjson.dumps(
                {
                    "availBal": print_e18(one.free_e18),
                    "bal": print_e18(one.total_e18),
                    "ccy": one.asset,
                    "frozenBal": print_e18(one.locked_e18),
                }
            )
            for one in held
        )


def uid_of(account: SandboxAccount) -> str:
    """The account's User ID, the same in every sandbox."""
    return str(int.from_bytes(blake2b(account.key.encode(), digest_size=7).digest()))


def _describe(one: Holding) -> dict[str, str]:
    total, dollars = print_e18(one.total_e18), str(_value(one))
    return (
        dict.fromkeys(_EMPTY_DETAIL, "")
        | dict.fromkeys(_ZERO_DETAIL, "0")
        | {
            "availBal": print_e18(one.free_e18),
            "cashBal": total,
            "ccy": one.asset,
            "disEq": dollars,
            "eq": total,
            "eqUsd": dollars,
            "frozenBal": print_e18(one.locked_e18),
            "ordFrozen": print_e18(one.locked_e18),
            "uTime": str(one.updated_ms),
        }
    )


def _select(request: web.Request, held: Sequence[Holding]) -> list[Holding]:
    """Those that hold anything, of the assets in ``ccy``: up to 20, with commas."""
    wanted = [name for name in request.query.get("ccy", "").split(",") if name]
    if len(wanted) > _MOST_ASSETS:
        raise refuse_wrong("ccy")
    return [one for one in held if one.total_e18 and (not wanted or one.asset in wanted)]


def _value(one: Holding) -> float:
    return one.total_e18 / E18 * one.price
