"""Requests in the name of an account. Source: "Request Security" of the Binance Spot REST API page."""

import hashlib
import hmac
from dataclasses import replace

from markethub.domain.errors import InputError
from markethub.domain.symbol import Account
from markethub.ports.keys import ApiKey
from markethub.venues.transport.request import Question, Request
from markethub.venues.transport.server_clock import ServerClock

KEY_HEADER = "X-MBX-APIKEY"


class BinanceSigner:
    """A Signer for keys of the HMAC type; holds the secret, and shows it to nobody.

    The signed text is the query as it is sent, percent-encoded: since January 2026 anything else is refused.
    Requests are dated by a lower bound of the venue's clock, so they are never from its future.
    """

    __slots__ = ("_clock", "_headers", "_recv_window_ms", "_secret")

    def __init__(self, account: Account, key: ApiKey, clock: ServerClock, *, recv_window_ms: int) -> None:
        """InputError, naming ``account`` and nothing of the key, if key or secret cannot be of that type."""
        if "PRIVATE KEY" in key.secret:
            raise InputError(
                f"account {account}: its secret is an RSA or Ed25519 key; HMAC keys are supported"
            )
        for part, text in (("key", key.key), ("secret", key.secret)):
            if not text or not text.isascii() or not text.isprintable() or " " in text:
                raise InputError(f"account {account}: its {part} is empty or has letters that no key has")
        self._headers = {KEY_HEADER: key.key}
        self._secret = key.secret.encode()
        self._clock = clock
        self._recv_window_ms = recv_window_ms

    async def prepare(self) -> None:
        await self._clock.known()

    def sign(self, question: Question) -> Request:
        """The request with ``recvWindow``, ``timestamp`` and ``signature`` at the end of its query."""
        dated = {"recvWindow": self._recv_window_ms, "timestamp": self._clock.bound_ms()}
        query = replace(question, params={**question.params, **dated}).query
        signature = hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()
        return Request(question.method, f"{question.path}?{query}&signature={signature}", self._headers)

    async def resync(self) -> None:
        await self._clock.measure_ms()
