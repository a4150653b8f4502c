"""Answers that are made while they are sent: whatever becomes of the caller, nothing stays open."""

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
import structlog
from starlette.types import Message

from markethub.api import stepped_answers
from markethub.api.stepped_answers import SteppedAnswer
from markethub.api.trace import IS_HEAD
from markethub.domain.errors import StoreError


class Parts:
    """Three parts, made when they are let; remembers what was made, and whether it was closed."""

    def __init__(self, error_at: int | None = None) -> None:
        self.made: list[int] = []
        self.threads: set[int] = set()
        self.is_closed = False
        self.may_make = threading.Semaphore(0)
        self._error_at = error_at

    def let(self, parts: int = 10) -> "Parts":
        self.may_make.release(parts)
        return self

    def run(self) -> Generator[bytes]:
        try:
            for number in range(3):
                assert self.may_make.acquire(timeout=30)
                self.threads.add(threading.get_ident())
                if number == self._error_at:
                    raise StoreError("the disk is gone")
                self.made.append(number)
                yield b"part%d" % number
        finally:
            self.is_closed = True


class Caller:
    """One side of a connection: takes what is sent while ``takes`` is set, and leaves when told."""

    def __init__(self, is_head: bool = False) -> None:
        self.sent: list[Message] = []
        self.has_left = asyncio.Event()
        self.has_taken = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self.scope: dict[str, Any] = {"type": "http", IS_HEAD: is_head, "asgi": {"spec_version": "2.3"}}

    async def receive(self) -> Message:
        await self.has_left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.takes.wait()
        self.sent.append(message)
        if message.get("body"):
            self.has_taken.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def begin(parts: Parts) -> SteppedAnswer:
    return await SteppedAnswer.begin(parts.run(), "text/plain", {"Vary": "Accept"})


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110  (a thread's doing, which wakes no event)
            await asyncio.sleep(0.001)


async def test_all_parts_are_sent_and_made_elsewhere() -> None:
    parts, caller = Parts().let(), Caller()
    await (await begin(parts))(caller.scope, caller.receive, caller.send)
    assert caller.body == b"part0part1part2"
    assert caller.sent[0]["status"] == 200
    assert (b"vary", b"Accept") in caller.sent[0]["headers"]
    assert caller.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert threading.get_ident() not in parts.threads
    assert parts.is_closed


async def test_an_error_of_the_first_part_comes_before_the_answer() -> None:
    parts = Parts(error_at=0).let()
    with pytest.raises(StoreError, match="the disk is gone"):
        await begin(parts)
    assert parts.is_closed


async def test_an_error_of_a_later_part_leaves_the_answer_without_its_end() -> None:
    parts, caller = Parts(error_at=2).let(), Caller()
    answer = await begin(parts)
    with pytest.raises(StoreError, match="the disk is gone"):
        await answer(caller.scope, caller.receive, caller.send)
    assert caller.body == b"part0part1"
    assert all(message.get("more_body", True) for message in caller.sent)
    assert parts.is_closed


async def test_the_next_part_is_made_while_one_is_sent() -> None:
    parts, caller = Parts().let(1), Caller()
    answer = await begin(parts)
    serving = asyncio.create_task(answer(caller.scope, caller.receive, caller.send))
    await caller.has_taken.wait()
    parts.let(1)
    await until(lambda: parts.made == [0, 1])
    parts.let()
    await serving
    assert caller.body == b"part0part1part2"


async def test_a_caller_who_leaves_ends_it_after_the_part_under_way() -> None:
    parts, caller = Parts().let(1), Caller()
    answer = await begin(parts)
    serving = asyncio.create_task(answer(caller.scope, caller.receive, caller.send))
    await caller.has_taken.wait()
    caller.has_left.set()
    parts.let(1)
    await serving
    assert parts.is_closed
    assert 2 not in parts.made
    assert caller.body == b"part0"


async def test_a_server_that_stops_ends_it_too() -> None:
    parts, caller = Parts().let(1), Caller()
    answer = await begin(parts)
    serving = asyncio.create_task(answer(caller.scope, caller.receive, caller.send))
    await caller.has_taken.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.gather(serving, asyncio.to_thread(parts.let, 1))
    await until(lambda: parts.is_closed)
    assert 2 not in parts.made


async def test_head_makes_no_part_beyond_the_first() -> None:
    parts, caller = Parts().let(1), Caller(is_head=True)
    answer = await begin(parts)
    await answer(caller.scope, caller.receive, caller.send)
    assert caller.body == b""
    assert caller.sent[0]["status"] == 200
    assert parts.is_closed
    assert parts.made == [0]


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
async def test_a_caller_who_takes_nothing_is_broken_off_and_the_reading_closed(
    monkeypatch: pytest.MonkeyPatch, spec_version: str
) -> None:
    monkeypatch.setattr(stepped_answers, "_TAKEN_WITHIN_S", 0.05)
    parts, caller = Parts().let(2), Caller()
    caller.scope["asgi"]["spec_version"] = spec_version
    answer = await begin(parts)
    serving = asyncio.create_task(answer(caller.scope, caller.receive, caller.send))
    await caller.has_taken.wait()
    caller.takes.clear()
    parts.let(1)
    with structlog.testing.capture_logs() as logs:
        async with asyncio.timeout(30):
            await serving
    assert parts.is_closed
    assert all(message.get("more_body", True) for message in caller.sent)
    assert [(one["log_level"], one["route"]) for one in logs] == [("warning", "unmatched")]


async def test_who_takes_long_over_what_is_all_made_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepped_answers, "_TAKEN_WITHIN_S", 0.05)
    parts, caller = Parts().let(), Caller()
    answer = await begin(parts)
    await until(lambda: bool(parts.made))

    async def send(message: Message) -> None:
        if message.get("more_body") is False:
            assert parts.is_closed
            await asyncio.sleep(0.3)
        await caller.send(message)

    await answer(caller.scope, caller.receive, send)
    assert caller.body == b"part0part1part2"
    assert caller.sent[-1]["more_body"] is False


async def test_time_outs_of_others_stay_errors() -> None:
    parts, caller = Parts().let(), Caller()

    async def send(_message: Message) -> None:
        raise TimeoutError("of the proxy")

    answer = await begin(parts)
    with pytest.raises(TimeoutError, match="of the proxy"):
        await answer(caller.scope, caller.receive, send)
    assert parts.is_closed


async def test_large_parts_are_sent_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepped_answers, "_PIECE_BYTES", 2)
    parts, caller = Parts().let(), Caller()
    await (await begin(parts))(caller.scope, caller.receive, caller.send)
    assert caller.body == b"part0part1part2"
    assert [len(message["body"]) for message in caller.sent[1:]] == [2, 2, 1] * 3 + [0]
