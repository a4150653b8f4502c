"""Rounds of upkeep go on whatever one step does."""

import asyncio

import pytest

from markethub import maintenance
from markethub.domain.errors import StoreError
from markethub.maintenance import maintained
from tests.own_logs import own_logs


@pytest.mark.parametrize("error", [StoreError("disk full"), KeyError("a bug of ours")])
async def test_a_step_that_fails_ends_neither_its_round_nor_the_next(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(maintenance, "_EVERY_S", 0.001)
    done: list[str] = []
    often = asyncio.Event()

    async def fail() -> None:
        done.append("failed")
        raise error

    async def go_on() -> None:
        done.append("went on")
        if len(done) >= 6:
            often.set()

    with own_logs() as lines:
        async with asyncio.timeout(20), maintained(fail, go_on):
            await often.wait()
    assert done[:6] == ["failed", "went on"] * 3
    assert {(line["log_level"], line["error"]) for line in lines} == {("error", str(error))}


async def test_the_rounds_end_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_EVERY_S", 0.0)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(20), maintained(hang):
        await begun.wait()
    assert ended.is_set()
