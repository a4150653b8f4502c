"""The examples of the DMS API about nodes and syncs, against a master and a slave that are one group."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from markethub.domain.interval import Interval
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from tests.contract.documented import EXAMPLES, example
from tests.flat_bars import flat_bars
from tests.served_group import RESTING, SLAVE, ServedGroup, served_group

ROUTES: list[dict[str, Any]] = json.loads((EXAMPLES / "dms_routes.json").read_text(encoding="utf-8"))
NAMED = {route["name"]: route for route in ROUTES}
_SERIES = Series(Symbol.parse("US.AAPL"), Interval.D1)
PARAMETERS = {"slave_name": SLAVE, "symbol": "US.AAPL", "task_name": "sync_klines_1d"}


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGroup]:
    with served_group(tmp_path_factory.mktemp("group")) as group:
        bars = flat_bars(parse_time(f"2024-01-0{day}") for day in range(2, 9))
        group.hubs["master"].store.upsert(_SERIES, bars).result()
        with group.ask("slave") as slave:
            # From here on there is something to tell: a sync has been completed.
            response = slave.post("/api/dms/sync/request")
            assert response.status_code == 200, response.text
        yield group


def send(group: ServedGroup, name: str, role: str = "", **query: str) -> httpx2.Response:
    """Send what the page documents under ``name``, to the node that it is documented for."""
    route = NAMED[name]
    path = route["path"].format_map(PARAMETERS)
    body = None if route["request"] is None else example(route["request"])
    with group.ask(role or ("slave" if route["role"] == "slave" else "master")) as client:
        return client.request(route["method"], path, params=query, json=body)


def check_shape(answer: Any, documented: Any, where: str = "") -> None:  # noqa: ANN401 - JSON
    """Every documented field is there, in the documented order and before fields of ours, with its type."""
    assert type(answer) is type(documented), f"{where}: {answer!r} is not as {documented!r}"
    if isinstance(documented, dict):
        assert list(answer)[: len(documented)] == list(documented), where
        for key, value in documented.items():
            check_shape(answer[key], value, f"{where}.{key}")
    elif isinstance(documented, list) and documented:
        assert answer, where
        for one in answer:
            check_shape(one, documented[0], f"{where}[]")
    elif isinstance(documented, str) and documented.endswith("Z"):
        assert len(answer) == len(documented), where
        assert answer.endswith("Z"), where


@pytest.mark.parametrize("name", ["dms_status", "dms_slaves", "dms_slave_status", "dms_master_status"])
def test_a_question_about_one_node_is_answered_as_documented(group: ServedGroup, name: str) -> None:
    response = send(group, name)
    assert response.status_code == 200, response.text
    check_shape(response.json(), example(f"{name}_response.json"))


def test_the_role_is_that_of_the_node_that_answers(group: ServedGroup) -> None:
    assert send(group, "dms_status").json()["role"] == "master"
    assert send(group, "dms_status", "slave").json()["role"] == "slave"
    assert send(group, "dms_master_status").json()["role"] == "master"
    assert send(group, "dms_slave_status").json() | {"uptime": 0} == {
        "name": SLAVE,
        "role": "slave",
        "host": "127.0.0.1",
        "port": int(group.slave.url.rpartition(":")[2]),
        "status": "running",
        "uptime": 0,
        "epoch": 1,
        "error": None,
    }


@pytest.mark.parametrize("role", ["master", "slave"])
def test_the_nodes_are_listed_as_documented(group: ServedGroup, role: str) -> None:
    response = send(group, "dms_nodes", role)
    assert response.status_code == 200, response.text
    answer, documented = response.json(), example("dms_nodes_response.json")
    assert list(answer) == list(documented)
    nodes = {node["name"]: node for node in answer["nodes"]}
    for expected, name in zip(documented["nodes"], ("master", SLAVE), strict=True):
        check_shape(nodes[name], expected)
        assert nodes[name]["status"] == "running"
    assert answer["online_nodes"] == 2
    assert answer["total_nodes"] == len(nodes) == (3 if role == "master" else 2)


@pytest.mark.parametrize("role", ["master", "slave"])
def test_the_sync_status_is_as_documented(group: ServedGroup, role: str) -> None:
    response = send(group, "dms_sync_status", role)
    assert response.status_code == 200, response.text
    answer, documented = response.json(), example("dms_sync_status_response.json")
    assert list(answer) == list(documented)
    check_shape(answer["backups"][0], documented["backups"][0])
    assert answer["backups"][0]["name"] == SLAVE
    assert answer["total_backups"] == len(answer["backups"]) == (2 if role == "master" else 1)


@pytest.mark.parametrize("role", ["master", "slave"])
def test_the_sync_history_is_as_documented(group: ServedGroup, role: str) -> None:
    response = send(group, "dms_sync_history", role, backup_name=SLAVE, limit="100", offset="0")
    assert response.status_code == 200, response.text
    check_shape(response.json(), example("dms_sync_history_response.json"))


def test_a_sync_is_triggered_as_documented(group: ServedGroup) -> None:
    documented = example("dms_sync_trigger_response.json")
    response = send(group, "dms_sync_trigger", backup_name=SLAVE)
    assert response.status_code == 200, response.text
    assert response.json() == documented | {"result": {"success": True, "results": {SLAVE: True}}}
    everywhere = send(group, "dms_sync_trigger").json()
    assert everywhere["success"] is True
    assert everywhere["result"] == {"success": False, "results": {SLAVE: True, RESTING: False}}


def test_a_slave_is_synced_as_documented(group: ServedGroup) -> None:
    response = send(group, "dms_slave_sync")
    assert response.status_code == 200, response.text
    assert response.json() == example("dms_slave_sync_response.json")


def test_a_slave_syncs_itself_as_documented(group: ServedGroup) -> None:
    response = send(group, "dms_sync_request")
    assert response.status_code == 200, response.text
    answer = response.json()
    check_shape(answer, example("dms_sync_request_response.json"))
    assert answer["result"]["message"] == "Sync completed"
    admin = {"Authorization": f"Bearer {group.slave.tokens['admin']}"}
    with group.ask("slave") as client:
        acts = client.get("/api/v1/audit?action=sync.request", headers=admin).json()["data"]
    assert acts[0]["token_name"] == "local"
    assert acts[0]["details"]["symbol"] == "US.AAPL"


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route["role"] != "any"], ids=lambda r: r["name"]
)
def test_the_other_role_is_403_whatever_the_parameters_are(group: ServedGroup, route: dict[str, Any]) -> None:
    other = "master" if route["role"] == "slave" else "slave"
    path = route["path"].format_map(PARAMETERS)
    with group.ask(other) as client:
        response = client.request(route["method"], path, params={"nonsense": "1"}, content=b"{broken")
    assert response.status_code == 403, response.text
    check_shape(response.json(), example("dms_error.json"))
    assert response.json() == {"detail": f"only a {route['role']} does this; this node is a {other}"}


def test_the_page_has_its_seventeen_routes(group: ServedGroup) -> None:
    with group.ask("master") as client:
        document = client.get("/openapi.json").json()
    assert len(ROUTES) == 17
    for route in ROUTES:
        operation = document["paths"][route["path"]][route["method"].lower()]
        parameters = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        assert set(route["query"]) <= parameters, route["path"]


def test_the_examples_are_the_pages_own() -> None:
    named = {route["request"] for route in ROUTES} | {route["response"] for route in ROUTES} - {None}
    for name in named - {None}:
        assert (EXAMPLES / name).is_file(), name
    kept = {path.name for path in Path(EXAMPLES).glob("dms_*.json")}
    assert kept == (named - {None}) | {"dms_routes.json", "dms_error.json"}
