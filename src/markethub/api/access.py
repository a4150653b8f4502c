"""What a route may use: the running hub, and the caller's rights."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from markethub.domain.errors import UnavailableError
from markethub.services.access import Principal, authenticate
from markethub.services.hub import Hub

# It only documents the scheme: the header itself is judged by the service, whose messages say what is wrong.
_BEARER = HTTPBearer(
    scheme_name="token",
    bearerFormat="mh_<id>_<secret>",
    description="A token made by `markethub token create`; each route names the scope it needs.",
    auto_error=False,
)


async def get_hub(request: Request) -> Hub:
    """Return the hub behind this application; UnavailableError until it is open."""
    hub = getattr(request.app.state, "hub", None)
    if not isinstance(hub, Hub):
        raise UnavailableError("the hub is starting or has stopped; try again")
    return hub


OpenHub = Annotated[Hub, Depends(get_hub)]


def needs(scope: str) -> Callable[..., Awaitable[Principal]]:
    """Make the dependency that lets only tokens with ``scope`` pass.

    Listed among a route's ``dependencies`` it runs before parameters are judged and before the body is read,
    so a stranger learns nothing and costs nothing.
    """

    async def check_token(
        request: Request,
        hub: OpenHub,
        _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Principal:
        principal = await authenticate(hub, request.headers.get("authorization"))
        principal.require(scope)
        return principal

    return check_token
