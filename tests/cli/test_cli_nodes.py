"""The commands about nodes, tasks and replicas, against a master and its slave."""

import json
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.ports.store import Coverage
from markethub.services.hub import Hub
from markethub.tables.klines import KLINES
from tests.cli.invocation import Outcome, Run
from tests.served_group import RESTING, SLAVE, ServedGroup, served_group

_DAY_MS = 86_400_000
_START_MS = parse_time("2024-01-01")

At = Callable[..., Outcome]


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGroup]:
    with served_group(tmp_path_factory.mktemp("group")) as group:
        _store_days(group.hubs["master"], "BTC_USDT.BNC", 60)
        _store_days(group.hubs["master"], "ETH_USDT.BNC", 2)
        yield group


def _store_days(hub: Hub, symbol: str, count: int) -> None:
    columns: dict[str, list[float | int | None]] = {
        name: [day + 1.5 for day in range(count)] for name in KLINES.names
    }
    columns["open_time"] = [_START_MS + day * _DAY_MS for day in range(count)]
    columns["trades"] = [None] * count
    bars = pa.table({name: pa.array(columns[name], KLINES.field(name).type) for name in KLINES.names}, KLINES)
    span = Span(_START_MS, _START_MS + count * _DAY_MS)
    coverage = [Coverage(span, "rest", _START_MS)]
    hub.store.upsert(Series(Symbol.parse(symbol), Interval.D1), bars, coverage).result()


@pytest.fixture
def at(cli: Run, group: ServedGroup, monkeypatch: pytest.MonkeyPatch) -> At:
    """Run a command against the node of a role, as its administrator."""

    def invoke(role: str, *arguments: str) -> Outcome:
        served = group.master if role == "master" else group.slave
        monkeypatch.setenv("MARKETHUB_TOKEN", served.tokens["admin"])
        return cli(*arguments, "--url", served.url)

    return invoke


def test_what_the_slave_lacks_is_brought_compared_and_told(at: At) -> None:
    done = at("slave", "sync", "request", "--symbol", "BTC_USDT.BNC", "--start", "2024-01-01")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Sync completed: ")
    proven = at("master", "verify", "--node", SLAVE)
    assert (proven.code, proven.err) == (0, "")
    (row,) = proven.table()
    assert row[:2] == [SLAVE, "equal"]
    assert json.loads(at("master", "verify", "--json").out)["equal"] is True

    rows = at("slave", "sync", "history", "--limit", "5").table()
    assert {row[2] for row in rows} >= {"BTC_USDT.BNC"}
    (status,) = at("slave", "sync", "status").table()
    assert status[0] == SLAVE
    assert status[2].endswith("Z")


def test_what_is_not_proven_is_told_by_the_exit_code(at: At) -> None:
    unproven = at("master", "verify", "--node", RESTING)
    assert [row[:2] for row in unproven.table()] == [[RESTING, "disabled"]]
    assert (unproven.code, unproven.err) == (1, "not every slave is proven equal\n")
    assert at("master", "verify", "--node", RESTING, "--json").code == 1


def test_nodes_are_listed_with_what_is_known(at: At) -> None:
    master, slave, resting = at("master", "nodes").table()
    assert (master[1], master[3], master[-1]) == ("master", "running", "")
    assert (slave[0], slave[1], slave[3]) == (SLAVE, "slave", "running")
    assert (resting[0], resting[3]) == (RESTING, "disabled")
    assert json.loads(at("master", "nodes", "--json").out)["total_nodes"] == 3


def test_a_slave_that_cannot_be_told_is_named_and_the_exit_code_says_so(at: At) -> None:
    assert at("master", "sync", "trigger", "--node", SLAVE).table() == [[SLAVE, "told"]]
    both = at("master", "sync", "trigger")
    assert sorted(both.table()) == [[SLAVE, "told"], [RESTING, "not told"]]
    assert (both.code, both.err) == (1, f"error: not told: {RESTING}\n")


def test_a_master_lets_a_slave_compare(at: At) -> None:
    queued = at("master", "sync", "request", "--node", SLAVE)
    assert (queued.code, queued.out) == (0, f"Sync request queued for {SLAVE}\n")
    refused = at("master", "sync", "request", "--node", RESTING)
    assert (refused.code, refused.out) == (1, "")
    assert "disabled" in refused.err


def test_the_wrong_role_and_unknown_names_are_plain_errors(at: At) -> None:
    for role, arguments, told in (
        ("slave", ["tasks", "list"], "slave"),
        ("master", ["sync", "request"], "master"),
        ("master", ["verify", "--node", "nobody"], "nobody"),
        ("master", ["tasks", "status", "nothing"], "nothing"),
        ("master", ["tasks", "trigger", "nothing"], "nothing"),
    ):
        refused = at(role, *arguments)
        assert (refused.code, refused.out) == (1, ""), arguments
        assert refused.err.startswith("error: "), arguments
        assert told in refused.err, arguments


def test_tasks_are_listed_started_and_told(at: At) -> None:
    tasks = {row[0]: row for row in at("master", "tasks", "list").table()}
    name = "sync_klines_1d"
    assert tasks[name][1] == "incremental"
    shown = at("master", "tasks", "status", name)
    assert shown.out.startswith(f"{name} (incremental): ")
    started = at("master", "tasks", "trigger", name)
    assert (started.code, started.err) == (0, "")
    assert name in started.out
    history = at("master", "tasks", "history", "--task", name).table()
    assert [row[1] for row in history] == [name]
    assert json.loads(at("master", "tasks", "history", "--type", "full_sync", "--json").out) == {"logs": []}
    of_type = at("master", "tasks", "trigger", "--type", "full_sync", "--json")
    assert json.loads(of_type.out)["result"]["triggered_count"] == 0


@pytest.mark.parametrize("arguments", [[], ["sync_klines_1d", "--all"]])
def test_one_task_or_several(at: At, arguments: list[str]) -> None:
    refused = at("master", "tasks", "trigger", *arguments)
    assert (refused.code, refused.out) == (2, "")


def test_bars_of_many_symbols_are_read_at_once(at: At, group: ServedGroup) -> None:
    asked = ["read", "ETH_USDT.BNC", "BTC_USDT.BNC", "--interval", "1d"]
    shown = at("master", *asked, "--end", "2024-01-03").table()
    assert [row[:3] for row in shown] == [
        ["ETH_USDT.BNC", "2024-01-01T00:00:00Z", "1.5"],
        ["ETH_USDT.BNC", "2024-01-02T00:00:00Z", "2.5"],
        ["BTC_USDT.BNC", "2024-01-01T00:00:00Z", "1.5"],
        ["BTC_USDT.BNC", "2024-01-02T00:00:00Z", "2.5"],
    ]
    rows = json.loads(at("master", *asked, "--format", "json").out)
    assert (len(rows), rows[0]["time"]) == (62, "2024-01-01T00:00:00Z")
    written = at("master", *asked, "--output", "bars.csv")
    assert (written.code, written.out) == (0, "")
    assert "62 bars" in written.err
