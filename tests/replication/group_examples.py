"""Every example of the DMS document, sent to real nodes."""

from typing import Any

from tests.contract.documented import example
from tests.replication.group_processes import BACKUP1, MASTER, NAMES, Group, GroupNode

_IN_PATHS = {"{symbol}": "US.AAPL", "{task_name}": "daily_update_us", "{slave_name}": BACKUP1}
_IN_QUERIES = {
    "backup_name": BACKUP1,
    "limit": "100",
    "offset": "0",
    "start_date": "2024-01-01T00:00:00",
    "end_date": "2024-01-23T00:00:00",
    "interval": "1d",
    "task_name": "daily_update_us",
    "task_type": "incremental",
}
# The page's own answer names both slaves, so its request named none.
_LEFT_OUT = {("dms_sync_trigger", "backup_name")}
_STARTS_TASKS = ("dms_tasks_trigger", "dms_tasks_trigger_all")


def run_examples(group: Group) -> int:
    """Send all of them to every node, tasks first; return how many answers were checked."""
    routes = sorted(example("dms_routes.json"), key=lambda route: route["name"] not in _STARTS_TASKS)
    assert routes[0]["name"] == _STARTS_TASKS[0], "the page's own example comes before all are started"
    checked = 0
    for route in routes:
        for name in NAMES:
            _run(group[name], route)
            checked += 1
        if route["name"] in _STARTS_TASKS:
            wait_until_updated(group)
    return checked


def wait_until_updated(group: Group) -> None:
    """Wait until no task runs and both slaves have told the master that they have what tasks brought."""

    def is_idle() -> bool:
        return all(task["status"] != "running" for task in group[MASTER].ask("/tasks"))

    def is_told() -> bool:
        slaves = [node for node in group[MASTER].ask("/nodes")["nodes"] if node["role"] == "slave"]
        told = group[MASTER].ask("/sync/history", backup_name=BACKUP1)["history"]
        return all(one["last_sync"] and one["lag_revisions"] == 0 for one in slaves) and bool(told)

    group.wait_for("all tasks done", is_idle)
    group.wait_for("slaves that have everything", is_told)


def _run(node: GroupNode, route: dict[str, Any]) -> None:
    path = route["path"].removeprefix("/api/dms")
    for name, value in _IN_PATHS.items():
        path = path.replace(name, value)
    query = {key: _IN_QUERIES[key] for key in route["query"] if (route["name"], key) not in _LEFT_OUT}
    if route["name"] == "dms_sync_history" and node.name != MASTER:
        query["backup_name"] = node.name  # a slave knows its own history only
    body = None if route["request"] is None else example(route["request"])
    response = node.send(route["method"], path, params=query, body=body)
    where = f"{node.name}: {route['method']} {path} answers {response.status_code} {response.text[:2000]}"
    role = "slave" if node.place.follows else "master"
    if route["role"] not in ("any", role):
        assert response.status_code == 403, where
        assert_shaped(response.json(), example("dms_error.json"), where)
    else:
        assert response.status_code == 200, where
        assert_shaped(response.json(), example(route["response"]), where)


def assert_shaped(answer: Any, documented: Any, where: str) -> None:  # noqa: ANN401 - JSON
    """Hold that ``answer`` has the documented fields with their types; it may have more.

    Where the page shows null there may be text. Each item of a list is held
    against the documented one of its place, or the last.
    """
    if isinstance(documented, dict):
        assert isinstance(answer, dict), where
        assert set(documented) <= set(answer), where
        for key, value in documented.items():
            assert_shaped(answer[key], value, f"{key} of {where}")
    elif isinstance(documented, list):
        assert isinstance(answer, list), where
        assert answer or not documented, f"empty: {where}"
        for place, item in enumerate(answer):
            assert_shaped(item, documented[min(place, len(documented) - 1)], f"{place} of {where}")
    elif documented is None:
        assert answer is None or isinstance(answer, str), where
    else:
        assert type(answer) is type(documented), where
