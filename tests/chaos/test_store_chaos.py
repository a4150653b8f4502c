import random
from pathlib import Path

import pytest

from tests.stores.store_kills import kill_rounds


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(4))
def test_kill_9_of_the_store_again_and_again(tmp_path: Path, seed: int) -> None:
    kill_rounds(tmp_path / "bars.duckdb", writes=600, kills=25, chance=random.Random(seed))
