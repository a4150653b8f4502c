"""Signatures as the documentation describes them, and nothing of a key where it could be read."""

import ccxt
import pytest

from markethub.domain.errors import InputError, KeyRefusedError, PermissionRefusedError, VenueError
from markethub.domain.symbol import Account
from markethub.ports.keys import ApiKey
from markethub.venues.okx.errors import REST_FAULTS, read_words
from markethub.venues.okx.signing import OkxSigner, check_key, compute_signature, format_timestamp
from markethub.venues.transport.faults import Reaction
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.session import Answer

# The example of "REST Authentication", with its time, path and secret.
SECRET = "22582BD0CFF14C41EDBF1AB98506286D"
MOMENT, MOMENT_MS = "2020-12-08T09:08:57.715Z", 1_607_418_537_715
TARGET = "/api/v5/account/balance?ccy=BTC"
# echo -n "${MOMENT}GET${TARGET}" | openssl dgst -sha256 -hmac "$SECRET" -binary | base64
SIGNATURE = "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY="

KEY = ApiKey("the-key", SECRET, "the passphrase")
MM01 = Account("OKX", "MM01")


class Clock:
    """A venue's clock that counts how often it was asked."""

    def __init__(self, time_ms: int) -> None:
        self.time_ms = time_ms
        self.asked = 0

    async def ask(self) -> int:
        self.asked += 1
        return self.time_ms


def signer(time_ms: int, *, simulated: bool = False) -> tuple[OkxSigner, Clock]:
    clock = Clock(time_ms)
    return OkxSigner(KEY, ServerClock(clock.ask, lambda _: None, monotonic=lambda: 5.0), simulated), clock


def question(**params: str | int) -> Question:
    return Question(path="/api/v5/account/balance", weight=1, subject="balance", max_bytes=1, params=params)


def test_the_documented_example() -> None:
    assert compute_signature(SECRET, MOMENT, "GET", TARGET) == SIGNATURE


def test_ccxt_signs_alike() -> None:
    exchange = ccxt.okx({"apiKey": "the-key", "secret": SECRET, "password": "the passphrase"})
    exchange.nonce = lambda: MOMENT_MS
    theirs = exchange.sign("account/balance", ["private"], "GET", {"ccy": "BTC"})["headers"]
    assert theirs["OK-ACCESS-SIGN"] == SIGNATURE
    assert theirs["OK-ACCESS-TIMESTAMP"] == format_timestamp(MOMENT_MS)


async def test_what_is_signed_is_what_is_sent() -> None:
    asked, clock = signer(MOMENT_MS)
    await asked.prepare()
    request = asked.sign(question(ccy="BTC"))
    assert (request.method, request.target) == ("GET", TARGET)
    assert request.headers == {
        "OK-ACCESS-KEY": "the-key",
        "OK-ACCESS-SIGN": SIGNATURE,
        "OK-ACCESS-TIMESTAMP": MOMENT,
        "OK-ACCESS-PASSPHRASE": "the passphrase",
    }
    odd = asked.sign(question(ccy="BTC,é/?"))
    assert odd.target == "/api/v5/account/balance?ccy=BTC%2C%C3%A9%2F%3F"
    assert odd.headers["OK-ACCESS-SIGN"] == compute_signature(SECRET, MOMENT, "GET", odd.target)
    assert asked.sign(question()).target == "/api/v5/account/balance"
    await asked.prepare()
    assert clock.asked == 1, "known once"
    await asked.resync()
    assert clock.asked == 2


async def test_a_key_of_demo_trading_says_so() -> None:
    demo, _ = signer(MOMENT_MS, simulated=True)
    await demo.prepare()
    assert demo.sign(question()).headers["x-simulated-trading"] == "1"


def test_milliseconds_are_written_also_when_they_are_zero() -> None:
    assert format_timestamp(1_607_418_537_000) == "2020-12-08T09:08:57.000Z"
    assert format_timestamp(MOMENT_MS) == MOMENT


async def test_no_secret_shows() -> None:
    asked, _ = signer(MOMENT_MS)
    await asked.prepare()
    shown = f"{asked!r} {asked} {asked.sign(question())!r}"
    for secret in (SECRET, "the passphrase", "the-key", SIGNATURE[:8]):
        assert secret not in shown


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (ApiKey("k", "s"), "no passphrase"),
        (ApiKey("k", "s", ""), "no passphrase"),
        (ApiKey("", "s", "p"), "no key"),
        (ApiKey("k", "", "p"), "no secret"),
        (ApiKey("k", "topsecret\n", "p"), "the secret of its key"),
        (ApiKey("k\r\nHost: x", "s", "p"), "the key of its key"),
        (ApiKey("k", "s", "schlüssel"), "the passphrase of its key"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: ApiKey, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        check_key(MM01, key)
    assert "OKX_MM01" in str(caught.value)
    for part in ("topsecret", "Host", "schlüssel"):
        assert part not in str(caught.value)


def judge(code: str, status: int = 401, text: str = "words") -> tuple[Reaction | type[VenueError], str]:
    fault = REST_FAULTS.judge(
        Answer(status, {}, b'{"msg":"%s","code":"%s"}' % (text.encode(), code.encode())), "it"
    )
    assert fault is not None
    return fault.reaction, fault.message


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("50100", 400, "frozen"),
        ("50101", 401, "simulated"),
        ("50103", 401, "key, secret and passphrase"),
        ("50104", 401, "key, secret and passphrase"),
        ("50105", 401, "passphrase is wrong"),
        ("50106", 401, "key, secret and passphrase"),
        ("50107", 401, "key, secret and passphrase"),
        ("50111", 401, "not a key of OKX"),
        ("50113", 401, "check the secret"),
        ("50119", 200, "base_url"),
    ],
)
def test_a_wrong_key_is_told_in_words(code: str, status: int, words: str) -> None:
    reaction, message = judge(code, status)
    assert reaction is KeyRefusedError
    assert f"{code} 'words': " in message
    assert words in message


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("50030", 200, "may not use this endpoint"),
        ("50035", 403, "bound to addresses"),
        ("50110", 401, "add this machine's address"),
        ("50114", 401, "not authorised"),
        ("50120", 200, "permission to read"),
        ("50120", 401, "permission to read"),
        ("50121", 200, "does not serve this machine's address"),
    ],
)
def test_a_missing_permission_is_told_in_words(code: str, status: int, words: str) -> None:
    reaction, message = judge(code, status)
    assert reaction is PermissionRefusedError
    assert words in message


@pytest.mark.parametrize("code", ["50102", "50112"])
def test_a_refused_time_is_measured_again(code: str) -> None:
    assert judge(code)[0] is Reaction.RESYNC


def test_too_many_requests_of_one_account_wait() -> None:
    assert judge("50061", 200)[0] is Reaction.WAIT


def test_the_key_that_a_refusal_quotes_is_cut() -> None:
    key = "0123abcd-4567-89ab-cdef-0123456789ab"
    text = f"Your IP 192.0.2.7 is not included in your API key's {key} IP whitelist."
    _, message = judge("50110", 401, text)
    assert "API key's 0123... IP whitelist" in message
    assert "abcd" not in message
    words = read_words(401, b'{"code":"50110","msg":"API key\'s IP whitelist"}')
    assert words is not None
    assert words.text == "API key's IP whitelist"
