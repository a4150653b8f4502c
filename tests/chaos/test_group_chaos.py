from pathlib import Path

import pytest

from tests.replication.group_processes import running_group
from tests.replication.group_proof import play_and_prove, prove_by_files


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(5))
def test_a_group_ends_equal_whatever_happens_to_it(tmp_path: Path, seed: int) -> None:
    """50 rounds in all; after every five the slaves have to catch up, and nothing may be left to repair."""
    with running_group(tmp_path) as group:
        for part in range(2):
            play_and_prove(group, seed=1_000 * seed + part, rounds=5)
        prove_by_files(group)
