"""A node asks the others who reigns, whatever becomes of one question."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog

from markethub.domain.errors import StoreError, UnavailableError
from markethub.domain.node import NodeAddress
from markethub.ports.clock import system_clock
from markethub.replication import heralding
from markethub.replication.heralding import hear_slaves, tell_replaced
from markethub.replication.link import Link
from markethub.replication.node import Node, SlaveNode
from markethub.stores.memory import MemorySeriesStore
from tests.bare_hub import lone_node
from tests.replication.deaf_master import MASTER

_FULL = StoreError("applying a patch: no space left on device")


class AskedLink(Link):
    """Answers as ``answer`` does, which may raise."""

    def __init__(self, answer: Callable[[NodeAddress], Any]) -> None:
        self.asked: list[str] = []
        self._answer = answer

    async def ask(self, node: NodeAddress, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401
        self.asked.append(node.name)
        return self._answer(node)


def node_with(link: Link) -> Node:
    slaves = {
        name: SlaveNode(NodeAddress(name, "127.0.0.1", 1), enabled=True) for name in ("backup1", "backup2")
    }
    return replace(lone_node(MemorySeriesStore(), system_clock), link=link, master=MASTER, slaves=slaves)


def raising(*errors: Exception) -> Callable[[NodeAddress], Any]:
    left = list(errors)

    def answer(_node: NodeAddress) -> Any:  # noqa: ANN401 - JSON
        if left:
            raise left.pop(0)
        return {"role": "slave"}

    return answer


async def test_a_replaced_master_is_told_whatever_failed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heralding, "_UNKNOWING_S", 0.01)
    link = AskedLink(raising(_FULL, _FULL, UnavailableError("away"), KeyError("odd"), _FULL))
    with structlog.testing.capture_logs() as logs:
        telling = asyncio.create_task(tell_replaced(node_with(link)))
        async with asyncio.timeout(30):
            while len(link.asked) < 6 and not telling.done():  # noqa: ASYNC110 - a fake tells nobody
                await asyncio.sleep(0.005)
        assert not telling.done()
        telling.cancel()
    told = [one["error"] for one in logs if one["event"] == "a node's status cannot be read now"]
    assert told == [str(_FULL), "'odd'", str(_FULL)]
    assert logs[-1]["event"] == "the replaced master knows of this reign"


async def test_one_odd_slave_does_not_keep_the_others_from_being_heard() -> None:
    link = AskedLink(raising(UnavailableError("away"), ZeroDivisionError("odd")))
    with structlog.testing.capture_logs() as logs:
        await hear_slaves(node_with(link))
    assert sorted(link.asked) == ["backup1", "backup2"]
    assert [one["error"] for one in logs if one["log_level"] == "warning"] == ["odd"]


async def test_who_cannot_keep_that_it_was_replaced_does_not_begin() -> None:
    with pytest.raises(StoreError, match="no space left"):
        await hear_slaves(node_with(AskedLink(raising(UnavailableError("away"), _FULL))))
