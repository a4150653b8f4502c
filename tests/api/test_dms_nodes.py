"""What a node says of the others of its group, however they behave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from markethub.domain.node import NodeAddress, Role
from markethub.domain.times import format_time
from markethub.ports.clock import system_clock
from markethub.replication.link import EPOCH_HEADER
from markethub.replication.node import SlaveNode
from markethub.services.audit import list_audit
from tests.api.dms_door import CLUSTER_TOKEN, Door, open_door

STATUS = {
    "role": "slave",
    "running": True,
    "uptime": 12,
    "tasks_count": 3,
    "name": "backup1",
    "epoch": 1,
    "fenced": False,
}
FOLLOWING = {"last_sync", "sync_delay", "lag_seconds", "lag_rows", "lag_revisions", "last_verified"}
Behaviour = Callable[[str], Awaitable[bytes]]
"""Takes a request's head, returns the bytes to answer."""


def answer(content: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(content)}\r\n{lines}\r\n".encode() + content


def says(told: object, **headers: str) -> Behaviour:
    async def behave(_head: str) -> bytes:
        return answer(orjson.dumps(told), **headers)

    return behave


@asynccontextmanager
async def node(name: str, behave: Behaviour, *, enabled: bool = True) -> AsyncIterator[SlaveNode]:
    """Somebody of the group at a socket of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await behave(head.decode()))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # who asked has given up
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield SlaveNode(NodeAddress(name, "127.0.0.1", port), enabled)
    finally:
        server.close()


async def ask(door: Door, path: str, method: str = "GET") -> Any:  # noqa: ANN401 - JSON
    async with door.caller() as client:
        response = await client.request(method, path)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def folders(sqlite_template: Path, tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path, sqlite_template


async def test_a_slave_that_never_answers_is_offline(folders: tuple[Path, Path]) -> None:
    gone = asyncio.Event()

    async def hang(_head: str) -> bytes:
        await gone.wait()
        return b""

    async with node("backup1", hang) as slave:
        async with open_door(*folders, slaves=[slave], status_timeout_s=0.2) as door:
            listed = await ask(door, "/api/dms/nodes")
            alone = await ask(door, "/api/dms/slaves/backup1/status")
        gone.set()
    assert (listed["total_nodes"], listed["online_nodes"]) == (2, 1)
    entry = listed["nodes"][1]
    assert (entry["name"], entry["role"], entry["port"]) == ("backup1", "slave", slave.address.port)
    assert (entry["status"], entry["uptime"], entry["epoch"]) == ("offline", None, None)
    assert entry.keys() >= FOLLOWING
    assert "does not answer" in entry["error"]
    assert (alone["status"], alone["uptime"], alone["error"]) == ("offline", None, entry["error"])


async def test_all_slaves_are_asked_side_by_side(folders: tuple[Path, Path]) -> None:
    both = asyncio.Barrier(2)

    async def wait_for_the_other(_head: str) -> bytes:
        await both.wait()
        return answer(orjson.dumps(STATUS))

    async with (
        node("backup1", wait_for_the_other) as one,
        node("backup2", wait_for_the_other) as two,
        open_door(*folders, slaves=[one, two]) as door,
    ):
        listed = await ask(door, "/api/dms/nodes")
    assert [entry["status"] for entry in listed["nodes"]] == ["running"] * 3
    assert listed["online_nodes"] == 3


async def test_a_slave_is_asked_with_token_and_epoch_and_its_answer_is_shown(
    folders: tuple[Path, Path],
) -> None:
    heads: list[str] = []

    async def listen(head: str) -> bytes:
        heads.append(head)
        return answer(orjson.dumps(STATUS))

    async with node("backup1", listen) as slave, open_door(*folders, slaves=[slave]) as door:
        status = await ask(door, "/api/dms/slaves/backup1/status")
    assert status == {
        "name": "backup1",
        "role": "slave",
        "host": "127.0.0.1",
        "port": slave.address.port,
        "status": "running",
        "uptime": 12,
        "epoch": 1,
        "error": None,
    }
    [head] = heads
    assert head.startswith("GET /api/dms/status HTTP/1.1\r\n")
    assert f"Authorization: Bearer {CLUSTER_TOKEN}\r\n" in head
    assert f"{EPOCH_HEADER}: 1\r\n" in head


@pytest.mark.parametrize(
    "told",
    [
        [],
        {},
        "running",
        STATUS | {"role": "king"},
        STATUS | {"uptime": "long"},
        STATUS | {"uptime": None},
        STATUS | {"epoch": 1e400},
        {key: value for key, value in STATUS.items() if key != "name"},
    ],
    ids=str,
)
async def test_a_slave_that_tells_nonsense_is_offline(folders: tuple[Path, Path], told: object) -> None:
    async with node("backup1", says(told)) as slave, open_door(*folders, slaves=[slave]) as door:
        status = await ask(door, "/api/dms/slaves/backup1/status")
    assert (status["status"], status["role"]) == ("offline", "slave")
    assert "answers /api/dms/status with no status" in status["error"]


async def test_what_refuses_redirects_or_is_no_node_is_offline_and_told_why(
    folders: tuple[Path, Path],
) -> None:
    answers = {
        answer(b'{"detail": "wrong token"}', "401 Unauthorized"): "with 401: wrong token",
        answer(b"", "302 Found", location="http://127.0.0.1:1/"): "with 302",
        answer(b"<html>"): "with no JSON",
        b"SSH-2.0-OpenSSH\r\n": "does not answer",
    }
    for content, reason in answers.items():

        async def behave(_head: str, content: bytes = content) -> bytes:
            return content

        folder, template = folders
        async with node("backup1", behave) as slave, open_door(folder, template, slaves=[slave]) as door:
            status = await ask(door, "/api/dms/slaves/backup1/status")
        assert status["status"] == "offline"
        assert reason in status["error"], content


async def test_a_slave_that_was_promoted_is_listed_as_the_master_it_is(folders: tuple[Path, Path]) -> None:
    promoted = says(STATUS | {"role": "master", "epoch": 2}, MarketHub_Epoch="2")
    async with node("backup1", promoted) as slave, open_door(*folders, slaves=[slave]) as door:
        before = await ask(door, "/api/dms/nodes")
        after = await ask(door, "/api/dms/nodes")
    assert before["nodes"][1] == {
        "name": "backup1",
        "role": "master",
        "host": "127.0.0.1",
        "port": slave.address.port,
        "status": "running",
        "uptime": 12,
        "tasks_count": 3,
        "last_sync": None,
        "epoch": 2,
        "fenced": False,
        "error": None,
    }
    # By its answer we have learned that we were replaced.
    assert after["nodes"][0]["fenced"] is True


async def test_a_disabled_slave_is_not_asked(folders: tuple[Path, Path]) -> None:
    async def never(_head: str) -> bytes:
        raise AssertionError("nobody may ask it")

    async with node("resting", never, enabled=False) as slave, open_door(*folders, slaves=[slave]) as door:
        listed = await ask(door, "/api/dms/nodes")
        status = await ask(door, "/api/dms/slaves/resting/status")
        triggered = await ask(door, "/api/dms/sync/trigger", "POST")
        synced = await ask(door, "/api/dms/slaves/resting/sync", "POST")
        slaves = await ask(door, "/api/dms/slaves")
    assert (listed["total_nodes"], listed["online_nodes"]) == (2, 1)
    assert listed["nodes"][1]["status"] == status["status"] == "disabled"
    assert triggered["success"] is False
    assert triggered["result"] == {"success": False, "results": {"resting": False}}
    message = "resting is disabled in the configuration"
    assert synced == {"success": False, "result": {"success": False, "message": message}}
    assert slaves == [{"name": "resting", "host": "127.0.0.1", "port": slave.address.port, "enabled": False}]


async def test_a_slave_that_is_away_is_not_synced(folders: tuple[Path, Path]) -> None:
    async with node("backup1", says({})) as slave:
        pass  # nobody listens there any more
    async with open_door(*folders, slaves=[slave]) as door:
        triggered = await ask(door, "/api/dms/sync/trigger?backup_name=backup1", "POST")
        synced = await ask(door, "/api/dms/slaves/backup1/sync", "POST")
        backups = await ask(door, "/api/dms/sync/status")
    assert triggered == {
        "success": False,
        "message": "No slave could be told",
        "result": {"success": False, "results": {"backup1": False}},
    }
    assert synced["success"] is synced["result"]["success"] is False
    assert "backup1" in synced["result"]["message"]
    assert backups == {
        "backups": [
            {
                "name": "backup1",
                "host": "127.0.0.1",
                "port": slave.address.port,
                "last_sync": None,
                "enabled": True,
                "lag_seconds": None,
                "lag_rows": None,
                "lag_revisions": None,
                "last_verified": None,
                "error": None,
            }
        ],
        "total_backups": 1,
    }


async def test_a_slave_is_told_what_to_compare(folders: tuple[Path, Path]) -> None:
    bodies: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        bodies.append((head.partition(" http/1.1")[0], orjson.loads(await reader.readexactly(length))))
        writer.write(answer(b"{}"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    slave = SlaveNode(NodeAddress("backup1", "127.0.0.1", server.sockets[0].getsockname()[1]), True)
    async with server, open_door(*folders, slaves=[slave]) as door, door.caller() as client:
        for symbol in ("US.AAPL", "BTC_USDT.BNC", None):
            body = {"symbol": symbol, "start_date": "2024-01-01T00:00:00", "end_date": "2024-01-23"}
            response = await client.post("/api/dms/slaves/backup1/sync", json=body)
            assert response.json() == {
                "success": True,
                "result": {"success": True, "message": "Sync request queued for backup1"},
            }
        before_ms = system_clock()
        for later in ({}, {"end_date": format_time(before_ms + 86_400_000)}):
            assert (await client.post("/api/dms/slaves/backup1/sync", json=later)).status_code == 200
        acts = (await list_audit(door.hub, action="slave.sync")).rows
    assert len(acts) == 5
    assert (acts[-1].target, acts[-1].token_name) == ("backup1", "local")
    assert acts[-1].details == {
        "symbol": "US.AAPL",
        "start_date": "2024-01-01T00:00:00Z",
        "end_date": "2024-01-23T00:00:00Z",
    }
    span = {"start_ms": 1_704_067_200_000, "end_ms": 1_705_968_000_000}
    assert bodies[:3] == [
        ("post /api/dms/replication/sync", {"symbol": symbol, **span})
        for symbol in ("US.AAPL", "BTC_USDT.BNC", None)
    ]
    for _, everything in bodies[3:]:
        assert everything["symbol"] is None
        assert before_ms <= everything["end_ms"] <= system_clock()


async def test_without_slaves_nobody_is_told(folders: tuple[Path, Path]) -> None:
    async with open_door(*folders) as door:
        listed = await ask(door, "/api/dms/nodes")
        triggered = await ask(door, "/api/dms/sync/trigger", "POST")
        assert await ask(door, "/api/dms/slaves") == []
        assert await ask(door, "/api/dms/sync/status") == {"backups": [], "total_backups": 0}
    assert [entry["name"] for entry in listed["nodes"]] == ["here"]
    assert triggered == {
        "success": False,
        "message": "No slaves are configured",
        "result": {"success": False, "results": {}},
    }


async def test_a_slave_whose_master_is_away_lists_it_as_offline(folders: tuple[Path, Path]) -> None:
    async with node("primary", says({})) as master:
        pass  # nobody listens there any more
    async with open_door(*folders, Role.SLAVE, master=master.address) as door:
        listed = await ask(door, "/api/dms/nodes")
        async with door.caller() as client:
            asked = await client.get("/api/dms/master/status")
            requested = await client.post("/api/dms/sync/request")
    first, second = listed["nodes"]
    assert (first["name"], first["role"], first["status"]) == ("primary", "master", "offline")
    assert (first["uptime"], first["tasks_count"], first["fenced"]) == (None, None, None)
    assert (second["name"], second["role"], second["status"]) == ("here", "slave", "running")
    assert second.keys() >= FOLLOWING
    assert (listed["total_nodes"], listed["online_nodes"]) == (2, 1)
    assert asked.status_code == requested.status_code == 503
    assert "primary at http://127.0.0.1" in asked.json()["detail"]
    assert int(asked.headers["retry-after"]) >= 1


async def test_a_sync_is_not_begun_with_a_master_that_hangs(folders: tuple[Path, Path]) -> None:
    """Following is patient, for minutes; whoever asked would have given up long before."""
    gone = asyncio.Event()

    async def hang(_head: str) -> bytes:
        await gone.wait()
        return b""

    async with (
        node("primary", hang) as master,
        open_door(
            *folders, Role.SLAVE, master=master.address, following=object(), status_timeout_s=0.1
        ) as door,
        door.caller() as client,
    ):
        requested = await client.post("/api/dms/sync/request")
        gone.set()
    assert requested.status_code == 503
    assert "primary at http://127.0.0.1" in requested.json()["detail"]
    assert "does not answer /api/dms/status" in requested.json()["detail"]


async def test_a_slave_shows_what_its_master_tells(folders: tuple[Path, Path]) -> None:
    told = STATUS | {"role": "master", "name": "primary"}
    async with (
        node("primary", says(told)) as master,
        open_door(*folders, Role.SLAVE, master=master.address) as door,
    ):
        assert await ask(door, "/api/dms/master/status") == told
        listed = await ask(door, "/api/dms/nodes")
    assert [entry["status"] for entry in listed["nodes"]] == ["running", "running"]
    assert (listed["nodes"][0]["uptime"], listed["nodes"][0]["tasks_count"]) == (12, 3)
