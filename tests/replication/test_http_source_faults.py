"""What an HttpSource makes of another node that fails, dawdles, or is not what it should be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import orjson
import pytest
import structlog

from markethub.domain.errors import ReplicationError, UnavailableError
from markethub.domain.node import NodeAddress, Role
from markethub.domain.selection import EVERYTHING
from markethub.ports.replication import ChangeSet, SeriesDigests, SeriesPatch
from markethub.replication.frames import pack_changes
from markethub.replication.http_source import _PAUSES_S, PREFIX, HttpSource
from markethub.replication.link import EPOCH_HEADER
from markethub.replication.reign import Reign
from markethub.replication.serving import Serving
from markethub.replication.source import StoreSource
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.store_contract import BTC, T0, bars_at, minutes
from tests.replication.served_master import TOKEN, ServedMaster, link_to, served_master

_CHANGES = b"".join(pack_changes(ChangeSet(0, 1, 1, [SeriesPatch(BTC, bars_at(minutes(0, 3)))])))
_SILENCE = b"<silence>"


@dataclass
class Script:
    """Answers one after the other, as bytes of HTTP; after ``_SILENCE`` nothing comes."""

    answers: list[bytes]
    asked: list[bytes] = field(default_factory=list)
    address: NodeAddress = field(init=False)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head)
            answer = self.answers.pop(0)
            said, silence, _ = answer.partition(_SILENCE)
            writer.write(said)
            await writer.drain()
            if silence:
                await reader.read()  # until the other side has had enough
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answer_of(body: bytes, *, status: str = "200 OK", length: int | None = None, more: str = "") -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{more}Connection: close\r\n\r\n".encode() + body


Play = Callable[..., Any]


@pytest.fixture
async def play() -> AsyncIterator[Play]:
    """Serve a script; returns it and a source that asks it without pauses."""
    async with AsyncExitStack() as stack:

        async def play(*answers: bytes, **options: Any) -> tuple[Script, HttpSource]:  # noqa: ANN401 - as the source's
            script = Script(list(answers))
            server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
            stack.push_async_callback(server.wait_closed)
            stack.callback(server.close)
            script.address = NodeAddress("master", "127.0.0.1", server.sockets[0].getsockname()[1])
            link = link_to()
            stack.push_async_callback(link.close)
            ways: dict[str, Any] = {"compression": "none", "timeout_s": 20, "bandwidth": None}
            ways |= {"sleep": _no_pause} | options
            return script, HttpSource(link, script.address, **ways)

        yield play


async def _no_pause(_pause_s: float) -> None:
    await asyncio.sleep(0)


_GOOD = answer_of(_CHANGES)
_REFUSED = answer_of(b'{"detail":"there are too many"}', status="503 Service Unavailable")


@pytest.mark.parametrize(
    "broken",
    [
        answer_of(_CHANGES[:-50], length=len(_CHANGES)),
        answer_of(_CHANGES[:-50]),
        answer_of(_CHANGES[:-1] + b"\x01"),
        answer_of(b""),
        _REFUSED,
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ],
    ids=["cut off", "cut off and counted so", "changed", "empty", "503", "cut head"],
)
async def test_what_cannot_be_read_is_asked_for_again(play: Play, broken: bytes) -> None:
    script, source = await play(broken, broken, _GOOD)
    assert (await source.read_changes(0, 10, EVERYTHING)).rows == 3
    assert len(script.asked) == 3


async def test_after_three_tries_the_last_error_is_told(play: Play) -> None:
    script, source = await play(_GOOD, answer_of(_CHANGES[:-9]), _REFUSED, answer_of(_CHANGES[:-9]))
    await source.read_changes(0, 10, EVERYTHING)
    with pytest.raises(ReplicationError, match=r"master at http://.*/changes: .*checksum does not fit"):
        await source.read_changes(0, 10, EVERYTHING)
    assert len(script.asked) == 4


class Patience:
    """A clock that only pauses and questions move; a question takes ``question_s``."""

    def __init__(self, question_s: float = 0.0) -> None:
        self.now_s = 0.0
        self.pauses_s: list[float] = []
        self._question_s = question_s

    async def sleep(self, pause_s: float) -> None:
        self.pauses_s.append(pause_s)
        self.now_s += pause_s + self._question_s

    def clock(self) -> float:
        return self.now_s


async def test_a_link_that_is_back_within_seconds_is_waited_for(play: Play) -> None:
    told = Patience()
    cut_off = answer_of(_CHANGES[:-50], length=len(_CHANGES))
    script, source = await play(cut_off, b"", _REFUSED, b"", _GOOD, sleep=told.sleep, clock=told.clock)
    assert (await source.read_changes(0, 10, EVERYTHING)).rows == 3
    assert len(script.asked) == 5
    assert sorted(_PAUSES_S) == list(_PAUSES_S)
    assert all(most / 2 <= pause <= most for pause, most in zip(told.pauses_s, _PAUSES_S, strict=False))


async def test_one_that_stays_away_is_given_up_after_about_ten_seconds(play: Play) -> None:
    told = Patience()
    script, source = await play(*[_REFUSED] * 20, sleep=told.sleep, clock=told.clock)
    with pytest.raises(UnavailableError, match="503: there are too many"):
        await source.read_changes(0, 10, EVERYTHING)
    assert 5 < told.now_s < 14
    assert len(script.asked) <= 7


async def test_one_that_is_silent_for_long_is_asked_three_times(play: Play) -> None:
    told = Patience(question_s=20.0)
    script, source = await play(*[_REFUSED] * 20, sleep=told.sleep, clock=told.clock)
    with pytest.raises(UnavailableError):
        await source.read_changes(0, 10, EVERYTHING)
    assert len(script.asked) == 3


async def test_silence_is_given_up(play: Play) -> None:
    script, source = await play(_SILENCE, _GOOD[:-9] + _SILENCE, _GOOD, timeout_s=0.3)
    assert (await source.read_changes(0, 10, EVERYTHING)).rows == 3
    assert len(script.asked) == 3


async def test_nobody_there_is_unavailable(play: Play) -> None:
    _, source = await play()
    lost = HttpSource(
        source._link, NodeAddress("gone", "127.0.0.1", 1), compression="none", timeout_s=5, bandwidth=None
    )
    lost._sleep = _no_pause
    with pytest.raises(UnavailableError, match=r"gone at http://127\.0\.0\.1:1 does not answer"):
        await lost.read_state()


async def test_a_redirect_is_refused_and_nobody_else_sees_the_token(play: Play) -> None:
    thief, _ = await play(_GOOD)
    where = f"Location: {thief.address.url}{PREFIX}/changes\r\n"
    script, source = await play(answer_of(b"", status="302 Found", more=where))
    with pytest.raises(ReplicationError, match=r"answers .* with 302"):
        await source.read_changes(0, 10, EVERYTHING)
    assert len(script.asked) == 1
    assert thief.asked == []
    assert TOKEN.encode() in script.asked[0]


@pytest.mark.parametrize("is_told", [True, False])
async def test_an_answer_has_a_largest_size(play: Play, is_told: bool) -> None:
    head = b"" if is_told else b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + _CHANGES
    script, source = await play(head or _GOOD, most_bytes=len(_CHANGES) - 1)
    with pytest.raises(ReplicationError, match=rf"{len(_CHANGES)} bytes; {len(_CHANGES) - 1} are the most"):
        await source.read_changes(0, 10, EVERYTHING)
    assert len(script.asked) == 1


@pytest.mark.parametrize("body", [b"nothing", b"[]", b'{"store_id":"x"}', b'{"series":"?"}'])
async def test_json_that_makes_no_sense_is_broken(play: Play, body: bytes) -> None:
    _, source = await play(*[answer_of(body)] * 9)
    for ask in (source.read_state, lambda: source.digest_series(BTC)):
        with pytest.raises(ReplicationError, match="JSON that cannot be read"):
            await ask()


async def test_blanks_before_json_are_signs_of_life(play: Play) -> None:
    _, source = await play(answer_of(b'    {"store_id":"x","epoch":1,"newest":2,"oldest":0}'))
    assert (await source.read_state()).newest == 2


async def test_a_cap_counts_every_byte(play: Play) -> None:
    _, source = await play(_GOOD, bandwidth=1e9)
    taken: list[int] = []

    async def take(size_bytes: int) -> None:
        taken.append(size_bytes)

    source._bandwidth.take = take
    await source.read_changes(0, 10, EVERYTHING)
    assert sum(taken) == len(_CHANGES)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedMaster]:
    with served_master(tmp_path_factory.mktemp("master")) as master:
        yield master


@asynccontextmanager
async def asking(served: ServedMaster, token: str = TOKEN) -> AsyncIterator[HttpSource]:
    link = link_to(token)
    try:
        yield HttpSource(
            link, served.address, compression="none", timeout_s=20, bandwidth=None, sleep=_no_pause
        )
    finally:
        await link.close()


async def test_without_the_token_of_the_group_nobody_follows(served: ServedMaster) -> None:
    served.hold(MemorySeriesStore())
    async with asking(served, "another-token-of-some-length") as source:
        for ask in (
            source.read_state(),
            source.read_changes(0, 10, EVERYTHING),
            source.list_series(EVERYTHING),
        ):
            with pytest.raises(ReplicationError, match=r"with 40[13]"):
                await ask


async def test_a_slave_serves_no_replica(served: ServedMaster) -> None:
    node = served.hold(MemorySeriesStore())
    served.put(replace(node, reign=Reign(node.store, Role.SLAVE)))
    async with asking(served) as source:
        with pytest.raises(ReplicationError, match="403: only a master does this"):
            await source.read_state()


async def test_trimmed_changes_are_refused(served: ServedMaster) -> None:
    store = MemorySeriesStore()
    for minute in range(5):
        store.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()
    store.replica.trim_changes(1)
    served.hold(store)
    async with asking(served) as source:
        with pytest.raises(ReplicationError, match="409: changes after revision 1 were trimmed"):
            await source.read_changes(1, 10, EVERYTHING)


async def test_too_many_at_once_are_told_to_come_back(served: ServedMaster) -> None:
    node = served.hold(MemorySeriesStore())
    served.put(replace(node, serving=Serving(most_open=0)))
    async with asking(served) as source:
        with pytest.raises(UnavailableError, match="503: 0 requests of followers are being answered"):
            await source.read_state()


async def test_what_was_answered_counts_no_more(served: ServedMaster) -> None:
    store = MemorySeriesStore()
    store.upsert(BTC, bars_at(minutes(0, 3))).result()
    node = served.hold(store)
    served.put(replace(node, serving=Serving(most_open=1)))
    async with asking(served) as source:
        for _ in range(3):
            assert (await source.read_changes(0, 10, EVERYTHING)).rows == 3
            await source.digest_series(BTC)


_BOUNDS = {"start_ms": T0, "end_ms": T0 + 1, "most_rows": 5, "compression": "none"}


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("POST", "/changes", {"after": -1, "most_rows": 5, "compression": "none"}),
        ("POST", "/changes", {"after": 0, "most_rows": 0, "compression": "none"}),
        ("POST", "/changes", {"after": 0, "most_rows": 10**7, "compression": "none"}),
        ("POST", "/changes", {"after": 0, "most_rows": 5, "compression": "rar"}),
        ("POST", "/snapshot", {"cursor": "x", "most_rows": 5, "compression": "none"}),
        ("POST", "/series", {"selection": {"venues": ["nowhere"]}}),
        ("POST", "/series", {"selection": {"colours": []}}),
        ("POST", "/table-digests", {"table": "meta"}),
        ("POST", "/rows", {"table": "fills", **_BOUNDS, "end_ms": T0}),
        ("POST", "/rows", {"table": "fills", **_BOUNDS, "start_ms": -(10**16)}),
        ("GET", "/digests", {"series": "BTC"}),
        ("GET", "/bars", {"series": "BTC_USDT.BNC 1m", **_BOUNDS, "end_ms": "x"}),
    ],
)
async def test_what_makes_no_sense_is_a_bad_request(
    served: ServedMaster, method: str, path: str, told: dict[str, Any]
) -> None:
    served.hold(MemorySeriesStore())
    link = link_to()
    params = {name: str(value) for name, value in told.items()} if method == "GET" else None
    body = told if method == "POST" else None
    with pytest.raises(ReplicationError, match="with 400: "):
        await link.ask(served.address, method, PREFIX + path, params=params, body=body, timeout_s=20)
    await link.close()


class _SlowSource(StoreSource):
    """Digests only when it is told to."""

    def __init__(self, store: MemorySeriesStore) -> None:
        super().__init__(store, lambda: 1)
        self.may_answer = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.fails = False

    async def digest_series(self, series: Any) -> SeriesDigests:  # noqa: ANN401 - as the original
        self.loop = asyncio.get_running_loop()
        await self.may_answer.wait()
        if self.fails:
            raise RuntimeError("planted")
        return await super().digest_series(series)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_digest_that_takes_long_shows_signs_of_life(
    served: ServedMaster, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr("markethub.api.dms.replication._SIGN_OF_LIFE_S", 0.02)
    store = MemorySeriesStore()
    store.upsert(BTC, bars_at(minutes(0, 3))).result()
    slow = _SlowSource(store)
    slow.fails = fails
    served.put(replace(served.hold(store), source=slow))
    link = link_to()
    timeout = aiohttp.ClientTimeout(sock_read=20)
    params = {"series": str(BTC)}
    # What crashes is logged with all that its stack holds, which takes long to show.
    with structlog.testing.capture_logs():
        async with link.open(
            served.address, "GET", f"{PREFIX}/digests", params=params, timeout=timeout
        ) as response:
            assert (await response.content.readexactly(3)) == b"   "
            assert EPOCH_HEADER in response.headers
            assert slow.loop is not None
            slow.loop.call_soon_threadsafe(slow.may_answer.set)
            if fails:
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.read()
            else:
                assert orjson.loads(await response.read())["series"] == str(BTC)
    await link.close()
