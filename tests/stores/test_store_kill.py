import random
from pathlib import Path

from tests.stores.store_kills import kill_rounds


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    kill_rounds(tmp_path / "bars.duckdb", writes=90, kills=3, chance=random.Random(4))
