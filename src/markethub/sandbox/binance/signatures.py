"""Requests in the name of an account: who asks, whether to the byte as signed, in time, and with the right.

Source: Binance Spot REST API, "Request Security"; "Error codes" for the refusals.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict

from markethub.sandbox.accounts import SandboxAccount, find_account
from markethub.sandbox.binance.parameters import MICROSECONDS_FROM, read_number
from markethub.sandbox.binance.refusals import refuse, refuse_illegal, refuse_key, refuse_missing
from markethub.sandbox.settings import Clock

SIGNED_PARAMETERS: Final = ("recvWindow", "timestamp", "signature")

_KEY: Final = re.compile(r"[A-Za-z0-9\-]{1,100}")
_SIGNATURE: Final = "^[A-Fa-f0-9]{64}$"
_RECV_WINDOW: Final = r"^[0-9]{1,5}(\.[0-9]{1,3})?$"
_USUAL_RECV_WINDOW_MS: Final = 5_000
_LONGEST_RECV_WINDOW_MS: Final = 60_000
_AHEAD_MS: Final = 1_000
_SIGNATURE_PAIR: Final = re.compile(r"(?:^|&)signature=[^&]*")
# What is left as it is by percent-encoding, and by those encoders that leave a few marks more.
_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9\-_.~!*'()&=+]|%[0-9A-Fa-f]{2})*")
_REJECTED: Final = "Invalid API-key, IP, or permissions for action."


@dataclass(frozen=True, slots=True)
class SignedCall:
    """Who asks, and all parameters, from query and body."""

    account: SandboxAccount
    parameters: MultiDict[str]


async def verify(request: web.Request, clock: Clock) -> SignedCall:
    """The call, if the account may read; raises the venue's refusal otherwise.

    In which order the venue checks is not documented: here the parameters come first, then the clock, the
    key, the signature, and at last address and rights.
    """
    key = request.headers.get("X-MBX-APIKEY", "")
    if _KEY.fullmatch(key) is None:
        raise refuse_key(-2014, "API-key format invalid.")
    # As it came over the wire: aiohttp's own query is decoded and normalised.
    query = request.raw_path.partition("?")[2]
    body = (await request.read()).decode("latin-1")
    parameters = MultiDict(parse_qsl(query, keep_blank_values=True) + parse_qsl(body, keep_blank_values=True))
    _check_time(parameters, clock())
    signature = parameters.get("signature")
    if not signature:
        raise refuse_missing("signature")
    if re.fullmatch(_SIGNATURE, signature) is None:
        raise refuse_illegal("signature", _SIGNATURE)
    account = find_account("BNC", key)
    if account is None:
        raise refuse_key(-2015, _REJECTED)
    payload = _SIGNATURE_PAIR.sub("", query) + _SIGNATURE_PAIR.sub("", body)
    if _ENCODED.fullmatch(payload) is None or not _is_signed(payload, signature, account):
        raise refuse(-1022, "Signature for this request is not valid.")
    if account.allowed_addresses and request.remote not in account.allowed_addresses:
        raise refuse_key(-2015, _REJECTED)
    if "read" not in account.rights:
        raise refuse_key(-2015, _REJECTED)
    return SignedCall(account, parameters)


def _is_signed(payload: str, signature: str, account: SandboxAccount) -> bool:
    true = hmac.new(account.secret.encode(), payload.encode("latin-1"), hashlib.sha256).hexdigest()
    return hmac.compare_digest(true, signature.lower())


def _check_time(parameters: MultiDict[str], now_ms: int) -> None:
    if not parameters.get("timestamp"):
        raise refuse_missing("timestamp")
    sent = read_number(parameters, "timestamp") or 0
    sent_ms = sent / 1000 if sent >= MICROSECONDS_FROM else sent
    text = parameters.get("recvWindow", str(_USUAL_RECV_WINDOW_MS))
    if re.fullmatch(_RECV_WINDOW, text) is None:
        raise refuse_illegal("recvWindow", _RECV_WINDOW)
    if float(text) > _LONGEST_RECV_WINDOW_MS:
        raise refuse(-1131, "recvWindow must be less than 60000")
    if sent_ms >= now_ms + _AHEAD_MS:
        raise refuse(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - sent_ms > float(text):
        raise refuse(-1021, "Timestamp for this request is outside of the recvWindow.")
