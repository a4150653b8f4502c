"""Proof, reports and lag over real sockets: a master and its slave."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import httpx2
import pytest

from markethub.config.nodes import SlaveSettings
from markethub.control.replica_states import ReplicaState
from markethub.ports.data_store import DataStore
from markethub.replication.follow_loop import FollowLoop
from markethub.replication.follower import Verdict
from markethub.testing.store_contract import BTC, BTC_HOURS, ETH, T0, bars_at, minutes
from tests.served_group import CLUSTER_TOKEN, RESTING, SLAVE, ServedGroup, served_group

ABSENT = "backup3"
"""A slave at whose port nobody listens."""
UNHEARD = "backup4"
"""One that never told anything."""


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGroup]:
    others = [
        SlaveSettings(name=ABSENT, host="127.0.0.1", port=1),
        SlaveSettings(name=UNHEARD, host="127.0.0.1", port=1, enabled=False),
    ]
    with served_group(tmp_path_factory.mktemp("group"), others) as group:
        yield group


@pytest.fixture(scope="module")
def master(group: ServedGroup) -> Iterator[httpx2.Client]:
    with group.ask("master") as client:
        yield client


@pytest.fixture(scope="module")
def slave(group: ServedGroup) -> Iterator[httpx2.Client]:
    with group.ask("slave") as client:
        yield client


def store_of(group: ServedGroup, role: str) -> DataStore:
    return group.hubs[role].node.store


def verify(client: httpx2.Client, **query: str) -> dict[str, Any]:
    answer = client.get("/api/dms/sync/verify", params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def as_node(name: str = SLAVE) -> dict[str, str]:
    return {"Authorization": f"Bearer {CLUSTER_TOKEN}", "MarketHub-Node": name}


def test_a_flipped_value_is_found_repaired_and_told(
    group: ServedGroup, master: httpx2.Client, slave: httpx2.Client
) -> None:
    store_of(group, "master").upsert(BTC, bars_at(minutes(0, 100))).result()
    first = verify(master, node=SLAVE)
    (found,) = first["nodes"]
    assert (found["name"], found["status"], first["equal"]) == (SLAVE, "equal", True)
    assert found["revision"] == store_of(group, "master").revision()
    store_of(group, "slave").upsert(BTC, bars_at(minutes(7, 8), 77.0)).result()
    (found,) = verify(master, node=SLAVE)["nodes"]
    assert (found["status"], found["repaired"], found["unsettled"]) == ("repaired", [str(BTC)], [])
    assert store_of(group, "slave").read(BTC).equals(store_of(group, "master").read(BTC))
    own = [verify(slave), verify(slave, node=SLAVE)]
    assert [(one["equal"], one["nodes"][0]["status"]) for one in own] == [(True, "equal")] * 2
    for client in (master, slave):
        rows = client.get("/api/dms/sync/history", params={"backup_name": SLAVE}).json()["history"]
        (repair,) = [row for row in rows if (row["sync_mode"], row["interval"]) == ("repair", "1m")]
        assert (repair["symbol"], repair["interval"], repair["data_count"]) == ("BTC_USDT.BNC", "1m", 1)
        assert (repair["status"], repair["error"], repair["backup_name"]) == ("success", None, SLAVE)


def test_every_slave_is_asked_and_each_has_its_state(master: httpx2.Client) -> None:
    told = verify(master)
    assert {one["name"]: one["status"] for one in told["nodes"]} == {
        SLAVE: "equal",
        RESTING: "disabled",
        ABSENT: "offline",
        UNHEARD: "disabled",
    }
    assert told["equal"] is False
    absent = told["nodes"][2]
    assert (absent["compared"], absent["repaired"], absent["duration"]) == (None, [], None)
    assert ABSENT in absent["error"]
    assert verify(master, node=RESTING)["equal"] is False


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"node": "nobody"}, 404, "Slave not found: nobody"),
        ({"timeout_s": "0"}, 400, "timeout_s"),
        ({"timeout_s": "1e9"}, 400, "timeout_s"),
        ({"nod": "x"}, 400, "'nod' is unknown"),
        ({"node": ""}, 400, "node"),
    ],
)
def test_wrong_questions(master: httpx2.Client, query: dict[str, str], status: int, words: str) -> None:
    answer = master.get("/api/dms/sync/verify", params=query)
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text


def test_a_slave_verifies_nobody_else(slave: httpx2.Client) -> None:
    answer = slave.get("/api/dms/sync/verify", params={"node": "backup9"})
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        f"this slave is {SLAVE!r} and verifies itself only",
    )


def test_one_that_takes_longer_goes_on(
    master: httpx2.Client, slave: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_self: FollowLoop) -> Verdict:
        await asyncio.sleep(3600)
        raise AssertionError("nobody waits that long")

    monkeypatch.setattr(FollowLoop, "verify", hang)
    for client in (master, slave):
        answer = client.get("/api/dms/sync/verify", params={"node": SLAVE, "timeout_s": 0.1})
        assert answer.status_code == 503
        assert f"the verification of {SLAVE} goes on" in answer.json()["detail"]


def test_the_lag_is_shown_while_a_slave_is_away(group: ServedGroup, master: httpx2.Client) -> None:
    """A slave that was heard of, and is not there: what it last told is held against the log."""
    store = store_of(group, "master")
    store.upsert(ETH, bars_at(minutes(0, 10))).result()
    state = ReplicaState(store.replica.store_id, 1, store.revision(), {}, 5_000, 6_000, 1, 0, 0, None)
    report(master, state, RESTING)
    assert backups(master)[RESTING] | {"enabled": None} == {
        "name": RESTING,
        "host": "127.0.0.1",
        "port": backups(master)[RESTING]["port"],
        "last_sync": "1970-01-01T00:00:05Z",
        "enabled": None,
        "lag_seconds": 0.0,
        "lag_rows": 0,
        "lag_revisions": 0,
        "last_verified": "1970-01-01T00:00:06Z",
        "error": None,
    }
    store.upsert(ETH, bars_at(minutes(10, 30))).result()
    shown = backups(master)[RESTING]
    assert (shown["lag_rows"], shown["lag_revisions"]) == (20, 1)
    until(lambda: backups(master)[RESTING]["lag_seconds"] > 0)
    metrics = master.get("/metrics").text
    for line in (
        f'markethub_replica_lag_rows{{node="{RESTING}"}} 20.0',
        f'markethub_replica_lag_revisions{{node="{RESTING}"}} 1.0',
        f'markethub_replica_last_sync_timestamp_seconds{{node="{RESTING}"}} 5.0',
        f'markethub_replica_failing{{node="{RESTING}"}} 0.0',
        'markethub_node_role{role="master"} 1.0',
        "markethub_node_epoch 1.0",
        "markethub_node_fenced 0.0",
    ):
        assert line in metrics.splitlines()
    assert f'lag_seconds{{node="{UNHEARD}"}}' not in metrics
    assert (backups(master)[UNHEARD]["lag_seconds"], backups(master)[UNHEARD]["lag_rows"]) == (None, None)


def test_one_of_another_history_lacks_everything(group: ServedGroup, master: httpx2.Client) -> None:
    state = ReplicaState("ab" * 16, 1, 10**9, {}, None, None, None, None, None, "away")
    report(master, state, ABSENT)
    shown = backups(master)[ABSENT]
    assert shown["lag_revisions"] == store_of(group, "master").revision()
    assert (shown["error"], shown["last_sync"]) == ("away", None)


def test_a_slave_tells_its_own_lag_and_rows(group: ServedGroup, slave: httpx2.Client) -> None:
    verify(slave)
    shown = backups(slave)
    assert shown.keys() == {SLAVE}
    assert (shown[SLAVE]["lag_seconds"], shown[SLAVE]["lag_rows"]) == (0.0, 0)
    lines = slave.get("/metrics").text.splitlines()
    assert 'markethub_node_role{role="slave"} 1.0' in lines
    (copied,) = [line for line in lines if line.startswith('markethub_replica_rows_total{mode="repair"}')]
    assert float(copied.split()[1]) >= 0


def test_news_reach_the_slave_by_themselves(group: ServedGroup) -> None:
    here, there = store_of(group, "master"), store_of(group, "slave")
    here.upsert(ETH, bars_at(minutes(200, 210))).result()
    until(lambda: there.read(ETH).equals(here.read(ETH)))


def test_reports_of_strangers_and_nonsense_are_refused(master: httpx2.Client, slave: httpx2.Client) -> None:
    state = ReplicaState(None, 1, None, {}, None, None, None, None, None, None)
    body = {"state": asdict(state), "history": []}
    path = "/api/dms/replication/report"
    assert master.post(path, json=body, headers=as_node("stranger")).status_code == 404
    assert master.post(path, json=body, headers={"Authorization": "Bearer no"}).status_code == 401
    assert slave.post(path, json=body, headers=as_node("master")).status_code == 403
    bodies: list[dict[str, Any]] = [
        {},
        {"state": {}, "history": []},
        body | {"history": [{"symbol": "x"}]},
        body | {"state": asdict(state) | {"selection": {"symbols": ["nonsense"]}}},
        body | {"state": asdict(state) | {"revision": -1}},
        body | {"state": asdict(state) | {"error": "a\x00"}},
    ]
    for wrong in bodies:
        answer = master.post(path, json=wrong, headers=as_node())
        assert (answer.status_code, "detail" in answer.json()) == (400, True), answer.text


def test_what_slaves_are_told_is_for_slaves(master: httpx2.Client, slave: httpx2.Client) -> None:
    for path, body in (("wake", {}), ("sync", {}), ("verify", {"timeout_s": 5})):
        where = f"/api/dms/replication/{path}"
        assert master.post(where, json=body, headers=as_node()).status_code == 403
        assert slave.post(where, json=body).status_code == 401
        assert slave.post(where, json=body, headers=as_node("master")).status_code == 200
    bodies: list[dict[str, Any]] = [{"symbol": "x"}, {"start_ms": 5, "end_ms": 5}, {"start": 5}]
    for wrong in bodies:
        answer = slave.post("/api/dms/replication/sync", json=wrong, headers=as_node("master"))
        assert answer.status_code == 400, answer.text


def test_a_queued_repair_is_done(group: ServedGroup, master: httpx2.Client) -> None:
    here, there = store_of(group, "master"), store_of(group, "slave")
    here.upsert(BTC_HOURS, bars_at([T0])).result()
    until(lambda: there.read(BTC_HOURS).equals(here.read(BTC_HOURS)))
    there.upsert(BTC_HOURS, bars_at([T0], 55.0)).result()
    answer = master.post(f"/api/dms/slaves/{SLAVE}/sync", json={"symbol": str(BTC_HOURS.symbol)})
    assert answer.json()["success"] is True
    until(lambda: there.read(BTC_HOURS).equals(here.read(BTC_HOURS)))


def report(master: httpx2.Client, state: ReplicaState, name: str) -> None:
    body = {"state": asdict(state), "history": []}
    answer = master.post("/api/dms/replication/report", json=body, headers=as_node(name))
    assert answer.json() == {"success": True}


def backups(client: httpx2.Client) -> dict[str, dict[str, Any]]:
    told = client.get("/api/dms/sync/status").json()["backups"]
    return {one["name"]: one for one in told}
