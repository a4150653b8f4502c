"""Requests in the name of an account. Source: "REST Authentication" of the OKX API v5 guide."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from markethub.domain.errors import InputError
from markethub.domain.symbol import Account
from markethub.domain.times import from_ms
from markethub.ports.keys import ApiKey
from markethub.venues.transport.request import Question, Request, plain_request
from markethub.venues.transport.server_clock import ServerClock


@dataclass(frozen=True, slots=True)
class OkxSigner:
    """A Signer: base64 of HMAC-SHA256 over time, method, and path with query byte for byte as they are sent.

    Requests are dated by the venue's clock, which refuses times more than 30 s away from its own.
    ``simulated`` says that the key belongs to demo trading.
    """

    key: ApiKey = field(repr=False)
    clock: ServerClock = field(repr=False)
    simulated: bool = False

    async def prepare(self) -> None:
        await self.clock.known()

    def sign(self, question: Question) -> Request:
        plain = plain_request(question)
        moment = format_timestamp(self.clock.bound_ms())
        headers = {
            "OK-ACCESS-KEY": self.key.key,
            "OK-ACCESS-SIGN": compute_signature(self.key.secret, moment, plain.method, plain.target),
            "OK-ACCESS-TIMESTAMP": moment,
            "OK-ACCESS-PASSPHRASE": self.key.passphrase or "",
        }
        if self.simulated:
            headers["x-simulated-trading"] = "1"
        return Request(plain.method, plain.target, headers)

    async def resync(self) -> None:
        await self.clock.measure_ms()


def check_key(account: Account, key: ApiKey) -> ApiKey:
    """Return ``key`` if all its three parts can be sent at all; InputError, showing none, otherwise."""
    parts = {"key": key.key, "secret": key.secret, "passphrase": key.passphrase}
    for name, text in parts.items():
        if not text:
            raise InputError(
                f"account {account}: its key has no {name}; OKX needs key, secret and passphrase"
            )
        if not (text.isascii() and text.isprintable()) or text != text.strip():
            raise InputError(f"account {account}: the {name} of its key has a character that none can have")
    return key


def compute_signature(secret: str, timestamp: str, method: str, target: str) -> str:
    """The header OK-ACCESS-SIGN; ``target`` is path and query as sent, ``timestamp`` as in its header."""
    digest = hmac.digest(secret.encode(), f"{timestamp}{method}{target}".encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def format_timestamp(time_ms: int) -> str:
    """``2020-12-08T09:08:57.715Z``: the milliseconds are there also when they are zero."""
    return from_ms(time_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
