"""One call against a real server that misbehaves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from markethub.domain.errors import (
    KeyRefusedError,
    SymbolNotListedError,
    VenueError,
    VenueProtocolError,
    VenueRefusedError,
    VenueThrottledError,
    VenueUnavailableError,
)
from markethub.ports.budget import Grant
from markethub.venues.binance.errors import REST_FAULTS
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import RetryPolicy, VenueCaller
from markethub.venues.transport.request import Question, Request
from markethub.venues.transport.session import Timeouts, VenueSession

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]
Answers = Callable[[web.Request], Awaitable[web.StreamResponse] | web.StreamResponse]

QUESTION = Question(
    "/api/v3/klines", 2, "klines of X", max_bytes=1000, params={"symbol": "币USDT", "secret": "hush"}
)


class Bench:
    """A caller whose server gives the listed answers in order, the last one for ever."""

    def __init__(self, *answers: Answers, **policy: Any) -> None:  # noqa: ANN401
        self.answers = list(answers)
        self.requests: list[web.Request] = []
        self.slept_s: list[float] = []
        self.policy = RetryPolicy(**policy)
        self.budget = WeightBudget("TST", limit=6000, max_in_flight=10)
        self.silence_s = 5.0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        result = answer(request)
        return result if isinstance(result, web.StreamResponse) else await result

    async def ask(self, serve: Serve) -> bytes:
        return await self.ask_at(await serve(self.handle))

    async def ask_at(self, url: str) -> bytes:
        session = VenueSession("TST", url, Timeouts(1.0, self.silence_s, self.silence_s))
        caller = VenueCaller(
            session, self.budget, REST_FAULTS, self.policy, count_header="X-Used", sleep=self.sleep
        )
        try:
            return await caller.ask(QUESTION)
        finally:
            await caller.close()

    async def sleep(self, delay_s: float) -> None:
        self.slept_s.append(delay_s)


def good(_: web.Request) -> web.Response:
    return web.Response(text="fine", headers={"X-Used": "40"})


def status(code: int, text: str = "no", **headers: str) -> Answers:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(status=code, text=text, headers=named)


def reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def truncate(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 100
    await response.prepare(request)
    await response.write(b"only a part")
    assert request.transport is not None
    request.transport.close()
    return response


def broken_gzip(_: web.Request) -> web.Response:
    return web.Response(body=b"not gzip at all", headers={"Content-Encoding": "gzip"})


async def test_a_good_answer_and_what_was_sent(serve: Serve) -> None:
    bench = Bench(good)
    assert await bench.ask(serve) == b"fine"
    request = bench.requests[0]
    assert request.headers["User-Agent"].startswith("markethub/")
    assert request.query["symbol"] == "币USDT"
    assert bench.budget.state().used == 40


@pytest.mark.parametrize(
    "fault",
    [
        reset,
        truncate,
        broken_gzip,
        status(500),
        status(503, "<html>"),
        status(400, '{"code":-1001,"msg":"x"}'),
    ],
)
async def test_trouble_that_passes_is_retried(serve: Serve, fault: Answers) -> None:
    bench = Bench(fault, fault, good)
    assert await bench.ask(serve) == b"fine"
    assert 0.1 <= bench.slept_s[0] <= 0.2 <= bench.slept_s[1] <= 0.4
    assert len(bench.requests) == 3  # aiohttp's own second try would be one more


@pytest.mark.parametrize("fault", [reset, truncate, status(502), status(504)])
async def test_trouble_that_stays_ends_as_unavailable(serve: Serve, fault: Answers) -> None:
    bench = Bench(fault, quick_retries=1)
    with pytest.raises(VenueUnavailableError) as caught:
        await bench.ask(serve)
    assert len(bench.requests) == 2
    assert "hush" not in str(caught.value)


async def test_a_server_that_says_nothing_is_given_up(serve: Serve) -> None:
    bench = Bench(hang, quick_retries=1)
    bench.silence_s = 0.05
    with pytest.raises(VenueUnavailableError, match="no answer in time"):
        await bench.ask(serve)
    assert len(bench.requests) == 2


@pytest.mark.parametrize("garbage", [b"not HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nX" + b"x" * 9000, b""])
async def test_a_server_that_does_not_speak_http(garbage: bytes) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        with pytest.raises(VenueUnavailableError) as caught:
            await Bench(good, quick_retries=1).ask_at(f"http://{host}:{port}")
    assert "hush" not in str(caught.value)


async def test_nobody_listens() -> None:
    with pytest.raises(VenueUnavailableError):
        await Bench(good, quick_retries=0).ask_at("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        (status(400, '{"code":-1121,"msg":"Invalid symbol."}'), SymbolNotListedError),
        (status(400, '{"code":-1120,"msg":"Invalid interval."}'), VenueRefusedError),
        (status(401, '{"code":-2014,"msg":"API-key format invalid."}'), KeyRefusedError),
        (status(451, "not from where you are"), VenueRefusedError),
        (status(404), VenueRefusedError),
        (status(302, Location="http://127.0.0.1/elsewhere"), VenueProtocolError),
        (status(200, "x" * 1001), VenueProtocolError),
    ],
)
async def test_a_refusal_is_final(serve: Serve, fault: Answers, error_class: type[VenueError]) -> None:
    bench = Bench(fault)
    with pytest.raises(error_class) as caught:
        await bench.ask(serve)
    assert type(caught.value) is error_class
    assert len(bench.requests) == 1
    assert not bench.slept_s
    assert "hush" not in str(caught.value)


async def test_a_body_is_quoted_in_part_only(serve: Serve) -> None:
    with pytest.raises(VenueRefusedError) as caught:
        await Bench(status(404, "y" * 900)).ask(serve)
    assert str(caught.value).count("y") == 200


async def test_throttled_waits_as_long_as_asked_and_goes_on(serve: Serve) -> None:
    bench = Bench(status(429, Retry_After="1"), good)
    assert await bench.ask(serve) == b"fine"
    assert len(bench.requests) == 2
    assert bench.budget.state().closed_until_ms is None


async def test_throttled_for_longer_than_the_call_can_wait(serve: Serve) -> None:
    bench = Bench(status(429, Retry_After="130"))
    with pytest.raises(VenueThrottledError) as caught:
        await bench.ask(serve)
    assert caught.value.retry_after_s == 130
    with pytest.raises(VenueThrottledError) as caught:
        await bench.budget.acquire(1, patience_s=100)
    assert len(bench.requests) == 1


@pytest.mark.parametrize("words", ["", '{"code":-1003,"msg":"IP banned"}'])
async def test_a_ban_closes_the_gate_and_is_told_at_once(serve: Serve, words: str) -> None:
    bench = Bench(status(418, words, Retry_After="20"))
    with pytest.raises(VenueThrottledError) as caught:
        await bench.ask(serve)
    assert caught.value.retry_after_s == 20
    assert bench.budget.state().closed_until_ms is not None
    assert len(bench.requests) == 1


async def test_the_firewall_closes_the_gate_without_naming_a_time(serve: Serve) -> None:
    bench = Bench(status(403, "<html>"))
    with pytest.raises(VenueThrottledError) as caught:
        await bench.ask(serve)
    assert caught.value.retry_after_s > 0


async def test_dozens_of_refusals_at_once_are_one_pause(serve: Serve) -> None:
    bench = Bench(status(429), patience_s=0)
    url = await serve(bench.handle)
    results = await asyncio.gather(*(bench.ask_at(url) for _ in range(10)), return_exceptions=True)
    pauses = [error.retry_after_s for error in results if isinstance(error, VenueThrottledError)]
    assert len(pauses) == 10
    assert max(pauses) <= 2


async def test_cancelling_a_call_ends_it_and_frees_its_place(serve: Serve) -> None:
    bench = Bench(hang)
    arrived = asyncio.Event()

    async def arrive(request: web.Request) -> web.StreamResponse:
        arrived.set()
        return await hang(request)

    call = asyncio.create_task(bench.ask_at(await serve(arrive)))
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert bench.budget.state().used == 2


async def test_a_closed_session_says_so(serve: Serve) -> None:
    session = VenueSession("TST", await serve(Bench(good).handle), Timeouts(1, 1, 1))
    await session.send(Request("GET", "/"), 100)
    await session.close()
    await session.close()
    with pytest.raises(VenueUnavailableError, match="closed"):
        await session.send(Request("GET", "/"), 100)


class GateKeeper:
    """A pool that only remembers gates."""

    def __init__(self) -> None:
        self.closed: list[tuple[str, bool]] = []

    async def take(self, budget: str, window: int, weight: int, limit: int) -> Grant:
        return Grant(weight, weight, None, is_banned=False)

    async def close_gate(self, budget: str, until_ms: int, *, is_ban: bool) -> None:
        self.closed.append((budget, is_ban))

    async def closed_until(self, budget: str) -> tuple[int, bool] | None:
        return None


@pytest.mark.parametrize(("code", "is_ban"), [(429, False), (418, True)])
async def test_the_other_processes_know_of_a_refusal_before_the_caller_does(
    serve: Serve, code: int, is_ban: bool
) -> None:
    bench = Bench(status(code, Retry_After="300"), patience_s=10)
    keeper = GateKeeper()
    bench.budget = WeightBudget("TST", limit=6000, max_in_flight=10, pool=keeper)
    with pytest.raises(VenueThrottledError):
        await bench.ask(serve)
    assert keeper.closed == [("TST", is_ban)]
