"""The sandbox's own doors, below ``/sandbox``: what is real, what was asked, start afresh, break things."""

from collections.abc import MutableMapping
from typing import Protocol

import orjson
from aiohttp import web

from markethub.domain.errors import InputError
from markethub.sandbox.faults import FaultPlan
from markethub.sandbox.recorded import Recordings
from markethub.sandbox.traffic import Traffic


class Meter(Protocol):
    """A venue's limits, as far as the stats show them."""

    def snapshot(self) -> dict[str, object]:
        """What each client used, as JSON values."""

    def reset(self) -> None:
        """Forget all use and all bans."""


Meters = MutableMapping[str, Meter]
"""One meter per venue, by its name."""


def create_control_app(
    recordings: Recordings, traffic: Traffic, meters: Meters, faults: FaultPlan
) -> web.Application:
    """Routes of ``/sandbox``; they are not counted, charged, nor hit by faults."""

    async def show_recordings(_: web.Request) -> web.Response:
        return _json({"recordings": recordings.describe()})

    async def show_stats(_: web.Request) -> web.Response:
        limits = {name: meter.snapshot() for name, meter in meters.items()}
        return _json(traffic.snapshot() | {"limits": limits, "faults": faults.describe()})

    async def reset(_: web.Request) -> web.Response:
        traffic.reset()
        faults.clear()
        for meter in meters.values():
            meter.reset()
        return _json({"reset": True})

    async def plan_faults(request: web.Request) -> web.Response:
        try:
            faults.extend(orjson.loads(await request.read()))
        except (orjson.JSONDecodeError, InputError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return _json({"faults": faults.describe()})

    app = web.Application()
    app.router.add_get("/recordings", show_recordings)
    app.router.add_get("/stats", show_stats)
    app.router.add_post("/reset", reset)
    app.router.add_post("/faults", plan_faults)
    return app


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
