"""Bad links are as bad as they are told to be."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.replication.link_proxy import FINE, Link, LinkProxy, Weather, draw_weather, running_links

BODY = random.Random(1).randbytes(300_000)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """For each line ``n``, the first n bytes of BODY; closes at the other side's end."""
    with suppress(ConnectionError):
        while line := await reader.readline():
            writer.write(BODY[: int(line)])
            await writer.drain()
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[LinkProxy]:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    async with LinkProxy() as proxy:
        proxy.target = server.sockets[0].getsockname()[:2]
        yield proxy
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def _connected(proxy: LinkProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_fine_link_passes_everything_on(proxy: LinkProxy) -> None:
    async with _connected(proxy) as (reader, writer):
        for size in (1, len(BODY)):
            writer.write(b"%d\n" % size)
            assert await reader.readexactly(size) == BODY[:size]
        writer.write_eof()
        assert await reader.read() == b""
    assert proxy.answered_bytes == len(BODY) + 1


async def test_a_link_that_is_down_resets_what_is_open_and_what_comes(proxy: LinkProxy) -> None:
    async with _connected(proxy) as (reader, writer):
        writer.write(b"1\n")
        await reader.readexactly(1)
        proxy.turn(Weather(down=True))
        with pytest.raises(ConnectionError):
            await reader.read()
    with pytest.raises(ConnectionError):
        async with _connected(proxy) as (reader, writer):
            await reader.read()
    proxy.turn(FINE)
    async with _connected(proxy) as (reader, writer):
        writer.write(b"5\n")
        assert await reader.readexactly(5) == BODY[:5]


async def test_a_link_to_nobody_resets(proxy: LinkProxy) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        for target in (None, unheard.getsockname()):
            proxy.target = target
            with pytest.raises(ConnectionError):
                async with _connected(proxy) as (reader, _):
                    await reader.read()


async def test_a_cut_link_ends_in_the_middle(proxy: LinkProxy) -> None:
    proxy.turn(Weather(cut_after_bytes=100_001))
    async with _connected(proxy) as (reader, writer):
        writer.write(b"%d\n" % len(BODY))
        assert await reader.read() == BODY[:100_001]


async def test_the_cut_counts_from_the_change_of_weather(proxy: LinkProxy) -> None:
    async with _connected(proxy) as (reader, writer):
        writer.write(b"50\n")
        await reader.readexactly(50)
        proxy.turn(Weather(cut_after_bytes=60))
        writer.write(b"100\n")
        assert await reader.read() == BODY[:60]


async def test_a_stalled_link_keeps_what_came(proxy: LinkProxy) -> None:
    proxy.turn(Weather(stalled=True))
    async with _connected(proxy) as (reader, writer):
        writer.write(b"7\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(1), 0.05)
        proxy.turn(FINE)
        assert await reader.readexactly(7) == BODY[:7]


@pytest.mark.parametrize("weather", [Weather(bytes_per_s=500_000), Weather(delay_s=0.1)])
async def test_a_slow_link_takes_its_time(proxy: LinkProxy, weather: Weather) -> None:
    """The least time only: how much longer it takes is the machine's business."""
    proxy.turn(weather)
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    async with _connected(proxy) as (reader, writer):
        writer.write(b"100000\n")
        assert await reader.readexactly(100_000) == BODY[:100_000]
    assert loop.time() - begin_s >= 0.19


def test_links_of_a_thread_are_driven_from_another() -> None:
    with running_links(2) as (first, second):
        first.lead_to(f"http://127.0.0.1:{second.port}")
        second.turn(Weather(down=True))
        with socket.create_connection(("127.0.0.1", first.port)) as asker:
            asker.settimeout(20)
            with suppress(ConnectionError):
                assert asker.recv(1) == b""
    assert _is_refused(first)


def _is_refused(link: Link) -> bool:
    with socket.socket() as asker:
        return asker.connect_ex(("127.0.0.1", link.port)) != 0


def test_all_kinds_of_weather_are_drawn_and_a_seed_repeats_them() -> None:
    drawn = [draw_weather(random.Random(7)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    chance = random.Random(1)
    many = [draw_weather(chance) for _ in range(200)]
    assert FINE in many
    for field in ("down", "stalled", "delay_s", "bytes_per_s", "cut_after_bytes"):
        assert any(getattr(weather, field) for weather in many), field
