"""What a route may use: the running hub, and the caller's rights."""

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from markethub.api.rate_limits import RequestBuckets
from markethub.control.audit import Caller
from markethub.domain.errors import RateLimitedError, UnauthorizedError, UnavailableError
from markethub.services.access import KnownTokens, Principal, authenticate
from markethub.services.caller import set_caller
from markethub.services.hub import Hub

TOKENLESS_SCOPES = frozenset({"read:dms", "write:dms"})
"""What nodes of the group may do under `/api/dms`, and callers whom `[dms] auth` lets in without a token."""

_log = structlog.get_logger(__name__)

# It only documents the scheme: the header itself is judged by the service, whose messages say what is wrong.
BEARER = HTTPBearer(
    scheme_name="token",
    bearerFormat="mh_<id>_<secret>",
    description="A token made by `markethub token create`; each route names the scope it needs.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Who may ask how much.

    ``requests_per_minute`` of each token that has no number of its own, where 0 is no limit, and
    ``burst_requests`` of them at once (None for all); ``failed_logins_per_minute`` of each address.
    ``cors_origins`` are the sites whose pages may call, none unless named. ``dms_auth`` is who may call
    `/api/dms` without a token.
    """

    requests_per_minute: int = 6_000
    burst_requests: int | None = None
    failed_logins_per_minute: int = 30
    cors_origins: frozenset[str] = frozenset()
    dms_auth: Literal["local", "token", "none"] = "local"


class Gate:
    """Lets requests in by their token, each token within its limit; one for each application."""

    def __init__(self, rules: AccessRules) -> None:
        self.rules = rules
        self._known = KnownTokens()
        self._of_tokens = RequestBuckets()
        self._of_addresses = RequestBuckets()
        self._of_strangers = RequestBuckets()
        self._refused: set[int] = set()

    async def admit(self, request: Request, hub: Hub) -> Principal:
        """The principal of a request, who from here on answers for what it does.

        A token is looked up however many wrong ones came from its address before: it cannot be locked out.

        Raises:
            UnauthorizedError: no good token.
            RateLimitedError: too many requests of this token, or too many without a good one from there.
        """
        address = _address_of(request)
        try:
            principal = await authenticate(hub, request.headers.get("authorization"), self._known)
        except UnauthorizedError as error:
            self._count_failure(address, error)
            raise
        self._count(principal)
        name_caller(request, principal.token_id, principal.name)
        return principal

    def admit_tokenless(self, request: Request, name: str) -> None:
        """Let a request in that needs no token, as ``name``; RateLimitedError when there are too many.

        All that come from one address share one bucket, of the size of a token's.
        """
        per_minute = self.rules.requests_per_minute
        if per_minute > 0:
            address, burst = _address_of(request), self.rules.burst_requests or per_minute
            wait_s = self._of_addresses.take(_network_of(address), per_minute=per_minute, burst=burst)
            if wait_s > 0:
                raise RateLimitedError(
                    f"{address} may send {per_minute} requests a minute without a token, {burst} of them at "
                    f"once; the next one in {wait_s:.3g} s",
                    wait_s,
                )
        name_caller(request, None, name)

    def _count(self, principal: Principal) -> None:
        per_minute = principal.requests_per_minute or self.rules.requests_per_minute
        if per_minute == 0:
            return
        # A token with a number of its own has no other burst than that.
        burst = per_minute if principal.requests_per_minute else self.rules.burst_requests or per_minute
        wait_s = self._of_tokens.take(principal.token_id, per_minute=per_minute, burst=burst)
        if wait_s == 0:
            self._refused.discard(principal.token_id)
            return
        if principal.token_id not in self._refused:  # once, not with every request of a flood
            self._refused.add(principal.token_id)
            _log.warning("token_limited", token=principal.name, requests_per_minute=per_minute, burst=burst)
        raise RateLimitedError(
            f"token {principal.token_id} ({principal.name}) may send {per_minute} requests a minute, {burst} "
            f"of them at once; the next one in {wait_s:.3g} s",
            wait_s,
        )

    def _count_failure(self, address: str, error: UnauthorizedError) -> None:
        most = self.rules.failed_logins_per_minute
        wait_s = self._of_strangers.take(_network_of(address), per_minute=most, burst=most)
        if wait_s > 0:
            raise RateLimitedError(
                f"{error}; {address} has sent more than {most} such requests in a minute, and is told so "
                f"again in {wait_s:.3g} s",
                wait_s,
            ) from error


def name_caller(request: Request, token_id: int | None, name: str) -> None:
    """Let the owner of a token, or ``name`` without one, answer for what the request does from here on."""
    caller = Caller(token_id, name, _address_of(request))
    request.state.caller = caller
    set_caller(caller)


async def admit(request: Request, hub: Hub) -> Principal:
    """As Gate.admit, at the gate of the request's application."""
    gate: Gate = request.app.state.gate
    return await gate.admit(request, hub)


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
        _documented: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER, scopes=[scope])],
    ) -> Principal:
        principal = await admit(request, hub)
        principal.require(scope)
        return principal

    return check_token


def _address_of(request: Request) -> str:
    # A proxy on this machine names its caller in a header, which may hold anything.
    host = "" if request.client is None else request.client.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:60] or "unknown"
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _network_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    # Whoever has one of these has all 2**64 of its network.
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
