"""Binance's wallet endpoints below ``/sapi``. Source: the Wallet pages of the Binance developers' site."""

from typing import Final

from aiohttp import web

from markethub.sandbox.binance.charging import charge_by_endpoint
from markethub.sandbox.binance.parameters import check_parameters, read_flag
from markethub.sandbox.binance.refusals import answer_json, answer_unknown
from markethub.sandbox.binance.signatures import SIGNED_PARAMETERS, verify
from markethub.sandbox.binance.wallets import Wallets, print_funding, print_rights
from markethub.sandbox.binance.weights import WeightBook
from markethub.sandbox.settings import Clock

_FUNDING_PARAMETERS: Final = ("asset", "needBtcValuation", *SIGNED_PARAMETERS)


def create_sapi_app(wallets: Wallets, clock: Clock, weights: WeightBook) -> web.Application:
    """The application to mount below ``/sapi``."""

    async def get_funding(request: web.Request) -> web.Response:
        call = await verify(request, clock)
        check_parameters(call.parameters, _FUNDING_PARAMETERS)
        read_flag(call.parameters, "needBtcValuation", usual=False)
        asset = call.parameters.get("asset")
        held = wallets.funding(call.account)
        return answer_json(print_funding([one for one in held if asset in (None, one.asset)]))

    async def get_rights(request: web.Request) -> web.Response:
        call = await verify(request, clock)
        check_parameters(call.parameters, SIGNED_PARAMETERS)
        return answer_json(print_rights(call.account))

    app = web.Application(middlewares=[charge_by_endpoint(weights, clock)])
    app.router.add_post("/v1/asset/get-funding-asset", get_funding)
    app.router.add_get("/v1/account/apiRestrictions", get_rights)
    app.router.add_route("*", "/{unknown:.*}", answer_unknown)
    return app
