"""Proofs that the nodes of a group hold the same data: by their own verification, and by their files."""

from collections.abc import Collection
from typing import Any

from tests.replication.group_contents import read_contents
from tests.replication.group_game import Game
from tests.replication.group_processes import BACKUP1, BACKUP2, MASTER, NAMES, Group


def list_verdicts(
    group: Group, leader: str = MASTER, slaves: Collection[str] | None = None
) -> dict[str, dict[str, Any]]:
    """What verifications of the slaves (None: of all that ``leader`` has) find, by name.

    ``leader`` is asked again until each of them has been compared.
    """
    left = {slave["name"] for slave in group[leader].ask("/slaves")} if slaves is None else {*slaves}
    found: dict[str, dict[str, Any]] = {}

    def are_all_there() -> bool:
        for name in sorted(left - set(found)):
            response = group[leader].get("/sync/verify", node=name)
            assert response.status_code in (200, 503), response.text
            if response.status_code == 200:
                (one,) = response.json()["nodes"]
                if one["status"] in ("equal", "repaired"):
                    found[name] = one
        return left == set(found)

    group.wait_for(f"a verification by {leader} of {sorted(left)}", are_all_there)
    return found


def play_and_prove(group: Group, seed: int, rounds: int) -> None:
    """Some rounds of the game; afterwards nothing may be left for a verification to repair."""
    game = Game(group, seed)
    game.play(rounds)
    game.settle()
    assert game.kills > rounds // 2
    verdicts = list_verdicts(group)
    assert {name: one["status"] for name, one in verdicts.items()} == {BACKUP1: "equal", BACKUP2: "equal"}
    assert all(one["compared"] for one in verdicts.values())
    assert list_repairs(group, MASTER) == []


def list_repairs(group: Group, leader: str) -> list[tuple[str, str, str]]:
    """Slave, symbol and interval of every repair that the leader has heard of."""
    told = group[leader].ask("/sync/history", limit="1000")
    assert told["total"] <= 1000
    return [
        (row["backup_name"], row["symbol"], row["interval"])
        for row in told["history"]
        if row["sync_mode"] == "repair" and row["status"] == "success"
    ]


def prove_by_files(group: Group) -> None:
    """End all politely, and compare what lies in their files without any of the group's own comparing."""
    for name in NAMES:
        assert group[name].process.stop() == 0, group[name].process.log.read_text()[-4000:]
    (leader,) = (node for node in group.nodes.values() if node.place.follows is None)
    for node in group.nodes.values():
        expected = read_contents(leader.process.data_dir, node.place.selection)
        assert expected, "nothing to compare"
        assert read_contents(node.process.data_dir, node.place.selection) == expected, node.name
