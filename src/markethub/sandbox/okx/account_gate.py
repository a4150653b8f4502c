"""Who may ask in the name of an account: OKX's signatures, checked to the byte.

Source: "REST Authentication" and "Error Code" of the OKX API v5 guide. The order of the checks is not
documented.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from markethub.domain.times import to_ms
from markethub.sandbox.accounts import SandboxAccount, find_account
from markethub.sandbox.okx.refusals import refuse, refuse_for_load
from markethub.sandbox.okx.request_limits import RequestBook
from markethub.sandbox.settings import Clock

_LONGEST_SKEW_MS: Final = 30_000
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_KEY: Final = re.compile(r"[A-Za-z0-9-]+")

AccountHandler = Callable[[web.Request, SandboxAccount], Awaitable[web.Response]]


class AccountGate:
    """Lets signed requests through to handlers that are told whose they are."""

    def __init__(self, clock: Clock, limits: RequestBook) -> None:
        self._clock = clock
        self._limits = limits

    def guard(self, handler: AccountHandler, right: str = "read") -> Handler:
        """A handler for the router; ``right`` is what the key must be allowed to do."""

        async def answer(request: web.Request) -> web.StreamResponse:
            account = _authenticate(request, await request.read(), self._clock())
            if right not in account.rights:
                raise refuse(401, "50120", "This API key doesn't have permission to use this function")
            path = request.path
            if not self._limits.admit(f"{account.venue}_{account.name}", path, path, self._clock()):
                return refuse_for_load()
            return await handler(request, account)

        return answer


def _authenticate(request: web.Request, body: bytes, now_ms: int) -> SandboxAccount:
    """The account of a request whose headers are all in order; raises the venue's refusal otherwise."""
    headers = request.headers
    key, passphrase, sign, timestamp = (
        _read_header(headers.get(f"OK-ACCESS-{name}"), name, code)
        for name, code in (
            ("KEY", "50103"),
            ("PASSPHRASE", "50104"),
            ("SIGN", "50106"),
            ("TIMESTAMP", "50107"),
        )
    )
    _check_time(timestamp, now_ms)
    if _KEY.fullmatch(key) is None:
        raise refuse(401, "50111", "Invalid OK-ACCESS-KEY")
    account = find_account("OKX", key)
    if account is None:
        raise refuse(200, "50119", "API key doesn't exist")
    if headers.get("x-simulated-trading") == "1":
        raise refuse(401, "50101", "APIKey does not match current environment.")
    if account.allowed_addresses and request.remote not in account.allowed_addresses:
        raise refuse(
            401, "50110", f"Your IP {request.remote} is not included in your API key's {key} IP whitelist."
        )
    if passphrase != account.passphrase:
        raise refuse(401, "50105", 'Request header "OK-ACCESS-PASSPHRASE" incorrect.')
    # The target as it came over the wire: decoded and encoded again it may look different.
    signed = f"{timestamp}{request.method}{request.raw_path}".encode() + body
    digest = hmac.digest(account.secret.encode(), signed, hashlib.sha256)
    if sign != base64.b64encode(digest).decode():
        raise refuse(401, "50113", "Invalid signature")
    return account


def _read_header(text: str | None, name: str, code: str) -> str:
    if not text:
        raise refuse(401, code, f'Request header "OK-ACCESS-{name}" cannot be empty.')
    return text


def _check_time(timestamp: str, now_ms: int) -> None:
    asked_ms = _read_time(timestamp)
    if asked_ms is None:
        raise refuse(401, "50112", "Invalid OK-ACCESS-TIMESTAMP")
    if abs(asked_ms - now_ms) > _LONGEST_SKEW_MS:
        raise refuse(401, "50102", "Timestamp request expired")


def _read_time(timestamp: str) -> int | None:
    if _TIMESTAMP.fullmatch(timestamp) is None:
        return None
    try:
        return to_ms(datetime.fromisoformat(timestamp))
    except ValueError:
        return None
