"""Signatures against the vectors that Binance publishes, and secrets that stay where they are."""

import traceback
from urllib.parse import parse_qs

import pytest

from markethub.domain.errors import InputError
from markethub.domain.symbol import Account
from markethub.ports.keys import ApiKey
from markethub.venues.binance import create_venue
from markethub.venues.binance.signing import BinanceSigner
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock

MM01 = Account("BNC", "MM01")

# Source: "SIGNED request example (HMAC)" of the Binance Spot REST API page.
KEY = ApiKey(
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
)
DOCUMENTED_MS = 1_499_827_319_559
ORDER: dict[str, str | int] = {
    "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "0.1",
}  # fmt: skip


class Venue:
    """Tells the time, and counts how often it was asked."""

    def __init__(self) -> None:
        self.now_ms = DOCUMENTED_MS
        self.monotonic_s = 0.0
        self.asked = 0
        self.clock = ServerClock(self.tell, lambda _: None, lambda: self.monotonic_s)

    async def tell(self) -> int:
        self.asked += 1
        return self.now_ms


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
async def signer(venue: Venue) -> BinanceSigner:
    signer = BinanceSigner(MM01, KEY, venue.clock, recv_window_ms=5000)
    await signer.prepare()
    return signer


def question(**params: str | int) -> Question:
    return Question("/api/v3/order", weight=1, subject="vector", max_bytes=1, params=params, method="POST")


async def test_the_documented_signature(signer: BinanceSigner) -> None:
    request = signer.sign(question(symbol="LTCBTC", **ORDER))
    assert request.method == "POST"
    assert request.headers == {"X-MBX-APIKEY": KEY.key}
    assert request.target == (
        "/api/v3/order?symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        "&timestamp=1499827319559&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    )


async def test_the_trap_of_percent_encoding_before_signing(signer: BinanceSigner) -> None:
    target = signer.sign(question(symbol="１２３４５６", **ORDER)).target
    assert target == (
        "/api/v3/order?symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT"
        "&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
        "&signature=e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"
    )


async def test_a_question_without_parameters(signer: BinanceSigner) -> None:
    target = signer.sign(question()).target
    path, _, query = target.partition("?")
    assert path == "/api/v3/order"
    assert list(parse_qs(query)) == ["recvWindow", "timestamp", "signature"]


async def test_requests_are_dated_by_the_venues_clock_and_never_ahead_of_it(
    venue: Venue, signer: BinanceSigner
) -> None:
    venue.monotonic_s = 10.0
    dated = parse_qs(signer.sign(question()).target)["timestamp"]
    assert DOCUMENTED_MS + 9_900 <= int(dated[0]) <= DOCUMENTED_MS + 10_000


async def test_a_clock_measured_a_minute_ago_is_measured_again(venue: Venue, signer: BinanceSigner) -> None:
    venue.monotonic_s = 59.0
    await signer.prepare()
    assert venue.asked == 1
    venue.monotonic_s, venue.now_ms = 61.0, DOCUMENTED_MS + 3_600_000
    await signer.prepare()
    assert venue.asked == 2
    assert f"timestamp={DOCUMENTED_MS + 3_600_000}&" in signer.sign(question()).target


async def test_a_refused_time_is_measured_at_once(venue: Venue, signer: BinanceSigner) -> None:
    venue.now_ms += 77_000
    await signer.resync()
    assert f"timestamp={DOCUMENTED_MS + 77_000}&" in signer.sign(question()).target


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        (ApiKey("", "s3cret"), "its key"),
        (ApiKey("k\r\nX-Evil:1", "s3cret"), "its key"),
        (ApiKey("kéy", "s3cret"), "its key"),
        (ApiKey("key", "s3 cret"), "its secret"),
        (ApiKey("key", ""), "its secret"),
        (ApiKey("key", "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----"), "HMAC"),
    ],
)
def test_a_key_of_another_type_is_refused_without_being_shown(key: ApiKey, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong) as caught:
        create_venue({}).account(MM01, key)
    assert "BNC_MM01" in str(caught.value)
    assert "cret" not in str(caught.value).replace("secret", "")
    assert "Evil" not in str(caught.value)


async def test_the_secret_is_in_no_repr_and_no_traceback(venue: Venue, signer: BinanceSigner) -> None:
    request = signer.sign(question())
    shown = [repr(signer), str(signer), repr(request.headers), repr(KEY), request.target]
    try:
        signer.sign(Question("/x", 1, "broken", 1, params={"a": "\ud800"}))
    except UnicodeEncodeError as error:
        shown += traceback.format_exception(error)
    assert len(shown) > 5
    assert not any(KEY.secret in text for text in shown)
    assert KEY.key not in repr(request)
    assert KEY.key not in repr(signer)
