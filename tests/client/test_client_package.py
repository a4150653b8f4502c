"""The package's front: light to import, complete, typed."""

import subprocess
import sys

import pytest

import markethub
from markethub.app import open_store
from markethub.client import AsyncDataHub, DataHub

HEAVY = ("pyarrow", "polars", "pandas", "httpx2", "duckdb", "sqlalchemy", "fastapi", "numpy")


def modules_after(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import markethub").intersection(HEAVY)


def test_the_client_loads_no_data_library_before_it_reads_data() -> None:
    loaded = modules_after("from markethub import datahub")
    assert "httpx2" in loaded
    assert not loaded.intersection(set(HEAVY) - {"httpx2"})


def test_every_name_of_the_front_is_there() -> None:
    assert markethub.open is open_store
    assert markethub.DataHub is DataHub
    assert markethub.AsyncDataHub is AsyncDataHub
    assert isinstance(markethub.datahub, DataHub)
    assert set(markethub.__all__) <= set(dir(markethub))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = markethub.nothing  # type: ignore[attr-defined]
