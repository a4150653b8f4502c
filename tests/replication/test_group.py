"""A master and two slaves as real processes prove that they hold the same data, whatever happens to them."""

from pathlib import Path

import duckdb
import pytest

from markethub import DataHub
from markethub.domain.errors import ConflictError, ForbiddenError
from markethub.domain.interval import Interval
from markethub.stores.duckdb.schema import bars_table
from tests.replication.group_examples import run_examples
from tests.replication.group_processes import (
    BACKUP1,
    BACKUP2,
    MASTER,
    NAMES,
    PATIENCE_S,
    Group,
    running_group,
)
from tests.replication.group_proof import list_repairs, list_verdicts, play_and_prove, prove_by_files
from tests.replication.link_proxy import Weather


@pytest.mark.timeout(600)  # some twenty processes, on a machine that may be busy
def test_the_life_of_a_group(tmp_path: Path) -> None:
    """One story, because starting three nodes takes longer than each of its parts."""
    with running_group(tmp_path) as group:
        assert run_examples(group) == 17 * len(NAMES)
        play_and_prove(group, seed=20240123, rounds=3)
        _repair_a_flipped_value(group)
        _lose_the_master(group)
        _bring_the_old_master_back(group)
        prove_by_files(group)


def _repair_a_flipped_value(group: Group) -> None:
    assert group[BACKUP1].process.stop() == 0
    symbol = _flip_a_close(group[BACKUP1].process.data_dir / "market.duckdb", Interval.D1)
    group.start(BACKUP1)
    found = list_verdicts(group)
    assert found[BACKUP2]["status"] == "equal"
    assert found[BACKUP1]["status"] == "repaired"
    assert found[BACKUP1]["repaired"] == [f"{symbol} 1d"]

    repair = (BACKUP1, symbol, "1d")
    group.wait_for("the repair in the master's history", lambda: list_repairs(group, MASTER) == [repair])
    assert list_verdicts(group)[BACKUP1]["status"] == "equal"


def _flip_a_close(store: Path, interval: Interval) -> str:
    """Change one stored price behind everybody's back; return the symbol."""
    with duckdb.connect(str(store)) as connection:
        for table in (bars_table(interval, is_hot=is_hot) for is_hot in (False, True)):
            found = connection.execute(
                f"SELECT bar.rowid, symbol FROM {table} AS bar JOIN series ON id = bar.series LIMIT 1"  # noqa: S608
            ).fetchone()
            if found is not None:
                connection.execute(f"UPDATE {table} SET close = close + 1 WHERE rowid = ?", [found[0]])  # noqa: S608
                return str(found[1])
    raise AssertionError(f"no bar of {interval} is stored")


def _lose_the_master(group: Group) -> None:
    """It dies with work that no slave has seen; a slave takes over, and the other one follows it."""
    with group[BACKUP1].process.client() as client, pytest.raises(ForbiddenError, match="slave"):
        _backfill(client, "ETH_USDT.BNC")
    for pair, link in group.links.items():
        link.turn(Weather(down=MASTER in pair))
    with group[MASTER].process.client() as client:
        _backfill(client, "ETH_USDT.BNC")
    group[MASTER].process.kill()
    group.heal()
    assert "epoch 2" in group.promote(BACKUP1)
    assert group[BACKUP1].ask("/status")["role"] == "master"
    with group[BACKUP1].process.client() as client:
        _backfill(client, "SOL_USDT.BNC")
    group.put(BACKUP2, follows=BACKUP1)
    assert group[BACKUP2].process.stop() == 0
    group.start(BACKUP2)
    assert list_verdicts(group, BACKUP1, [BACKUP2])[BACKUP2]["status"] == "equal"


def _bring_the_old_master_back(group: Group) -> None:
    """It refuses to write; made a slave it ends equal, without what nobody had pulled from it."""
    group.start(MASTER)
    with (
        group[MASTER].process.client() as client,
        pytest.raises(ConflictError, match=r"was replaced.*epoch 2.*\[node\] role = 'slave'"),
    ):
        _backfill(client, "ETH_USDT.BNC")
    group.put(MASTER, follows=BACKUP1, slaves=())
    assert group[MASTER].process.stop() == 0
    group.start(MASTER)
    verdicts = list_verdicts(group, BACKUP1)
    assert {name: one["status"] for name, one in verdicts.items()} == {MASTER: "equal", BACKUP2: "equal"}
    group.put(BACKUP1, follows=None)


def _backfill(client: DataHub, symbol: str) -> None:
    queued = client.backfill_klines(
        [symbol], intervals=["5m"], start_time="2024-06-01T00:00:00Z", end_time="2024-06-03T00:00:00Z"
    )
    assert client.wait(queued["trace_id"], timeout=PATIENCE_S)["status"] == "SUCCESS"
