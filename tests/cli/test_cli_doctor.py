"""``doctor``: what it finds, and that it changes nothing."""

import json
import os
import resource
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from markethub.cli.doctor import machine, venues
from markethub.cli.doctor import node as node_checks
from markethub.cli.doctor.finding import Finding, Level
from markethub.cli.doctor.folder import check_folder
from markethub.config import load_settings
from markethub.ports.clock import system_clock
from markethub.sandbox import SandboxSettings, running_sandbox
from markethub.venues.binance import create_venue
from tests.cli.conftest import Node
from tests.cli.invocation import Outcome, Run


def _levels(outcome: Outcome) -> dict[str, str]:
    return {found["check"]: found["level"] for found in json.loads(outcome.out)["checks"]}


@pytest.fixture
def binance_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let Binance be the only exchange with an adapter, at an address of ours: no test asks a real one."""

    def place(url: str) -> None:
        options = {"base_url": url, "archive_url": url, "quick_retries": "0"}
        monkeypatch.setattr(venues, "load_venues", lambda _: {"BNC": create_venue(options)})

    return place


def test_all_is_well_with_a_running_hub(local: Run, node: Node, binance_at: Callable[[str], None]) -> None:
    binance_at(node.sandbox_url)
    outcome = local("doctor")
    assert outcome.code == 0, outcome.out
    lines = outcome.out.splitlines()
    assert any(line.startswith("ok    store: ") and node.url in line for line in lines)
    assert any(line.startswith(f"ok    hub: {node.url} is ready") for line in lines)
    assert any(line.startswith("ok    exchange BNC: ") and "its clock is" in line for line in lines)
    assert json.loads(local("doctor", "--json").out)["ok"] is True


def test_a_fresh_machine_gets_warnings_but_no_failure_and_no_folder(cli: Run, tmp_path: Path) -> None:
    outcome = cli("doctor", "--offline", "--json")
    levels = _levels(outcome)
    assert outcome.code == 0
    assert {levels[name] for name in ("data folder", "control database", "store", "hub")} == {"warn"}
    assert not any(name.startswith("exchange") for name in levels)
    assert list(tmp_path.iterdir()) == []


def test_an_exchange_out_of_reach_is_a_failure(cli: Run, binance_at: Callable[[str], None]) -> None:
    with socket.socket() as nobody:  # bound but not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        binance_at(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        outcome = cli("doctor", "--json")
    assert outcome.code == 1
    assert _levels(outcome)["exchange BNC"] == "fail"


async def test_a_clock_that_is_off_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SandboxSettings(clock=lambda: system_clock() - 5000)
    async with running_sandbox(settings) as sandbox:
        monkeypatch.setattr(venues, "load_venues", lambda _: {"BNC": create_venue({"base_url": sandbox.url})})
        [found] = await venues.check_venues(load_settings())
    assert found.level is Level.WARN
    assert "its clock is -" in found.detail
    assert "NTP" in found.advice


def test_wrong_settings_of_an_exchange_are_a_failure(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETHUB_VENUES__BNC__COLOUR", "red")
    outcome = cli("doctor", "--json")
    assert outcome.code == 1
    assert _levels(outcome)["exchanges"] == "fail"


def test_a_loose_token_file_is_a_failure_with_its_remedy(cli: Run, tmp_path: Path) -> None:
    token = tmp_path / "admin.token"
    token.write_text("mh_1_secret")
    token.chmod(0o644)
    outcome = cli("doctor", "--offline", "--data-dir", str(tmp_path))
    assert outcome.code == 1
    assert f"-> run: chmod 600 {token}" in outcome.out
    assert "secret" not in outcome.out
    token.chmod(0o600)
    assert cli("doctor", "--offline", "--data-dir", str(tmp_path)).code == 0


def test_a_data_folder_that_is_a_file_is_a_failure(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = cli("doctor", "--offline", "--json", "--data-dir", str(tmp_path / "file"))
    assert outcome.code == 1
    assert _levels(outcome)["data folder"] == "fail"


def test_a_folder_of_someone_else_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may write everywhere, so the answer of the system is what must be replaced
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert [found.level for found in check_folder(tmp_path)] == [Level.FAIL]
    assert [found.level for found in check_folder(tmp_path / "missing")] == [Level.FAIL]


@pytest.mark.parametrize(("free_bytes", "level"), [(10**8, "fail"), (10**9, "warn"), (10**10, "ok")])
def test_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, level: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free_bytes))
    assert {found.check: found.level for found in check_folder(tmp_path)}["disk space"] == level


@pytest.mark.parametrize(
    ("limit", "level"), [(100, "fail"), (512, "warn"), (1024, "ok"), (resource.RLIM_INFINITY, "ok")]
)
def test_the_limit_on_open_files(monkeypatch: pytest.MonkeyPatch, limit: int, level: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, resource.RLIM_INFINITY))
    assert machine.check_open_files().level == level


@pytest.mark.parametrize(
    ("requirement", "problem"),
    [
        ("pyarrow>=1", None),
        ("pyarrow>=99.5", "pyarrow"),
        ("no-such-package>=1", "no-such-package is missing"),
        ('no-such-package>=1; extra == "dev"', None),
        ('pyarrow>=99; sys_platform != "win32"', "pyarrow"),
        ("SQLAlchemy[asyncio]>=2.1", None),
        ("pyarrow<1", "is not <1"),
        ("pyarrow~=99.0", "is not ~=99.0"),
    ],
)
def test_packages(monkeypatch: pytest.MonkeyPatch, requirement: str, problem: str | None) -> None:
    monkeypatch.setattr(machine, "requires", lambda _: [requirement])
    found = machine.check_packages()
    assert found.level == ("ok" if problem is None else "fail")
    assert problem is None or problem in found.detail


@pytest.mark.parametrize(
    ("found", "least", "old"),
    [("2.0.0", "2.0", False), ("2.0", "2.0.1", True), ("10.1", "9.9", False), ("2.1.0rc1", "2.0", False)],
)
def test_versions_compare_by_number(
    monkeypatch: pytest.MonkeyPatch, found: str, least: str, old: bool
) -> None:
    monkeypatch.setattr(machine, "requires", lambda _: [f"thing>={least}"])
    monkeypatch.setattr(machine, "version", lambda _: found)
    assert machine.check_packages().level == ("fail" if old else "ok")


async def _control(data_dir: Path) -> Finding:
    return await node_checks.check_control(load_settings(None, {"data_dir": data_dir}))


@pytest.mark.parametrize(("revision", "level"), [("0000", "warn"), ("9999", "fail")])
async def test_another_schema_is_found_and_not_migrated(tmp_path: Path, revision: str, level: str) -> None:
    database = sqlite3.connect(tmp_path / "control.sqlite")
    database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    database.execute("INSERT INTO alembic_version VALUES (?)", [revision])
    database.commit()
    found = await _control(tmp_path)
    assert (found.level, revision in found.detail) == (level, True)
    assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]
    database.close()


async def test_a_control_database_that_is_none_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "control.sqlite").write_bytes(b"no database at all, but long enough to look like one" * 99)
    assert (await _control(tmp_path)).level is Level.FAIL


@pytest.mark.postgres
async def test_a_postgres_control_database(
    postgres_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MARKETHUB_CONTROL__URL", postgres_uri)
    found = await _control(tmp_path)
    assert (found.level, found.detail) in (
        (Level.FAIL, 'control database: relation "alembic_version" does not exist'),
        (Level.OK, "PostgreSQL, schema 0001"),
    )


def test_a_damaged_store_is_a_failure(tmp_path: Path) -> None:
    settings = load_settings(None, {"data_dir": tmp_path})
    settings.store_path.write_bytes(b"no store" * 999)
    assert node_checks.check_store(settings, None).level is Level.FAIL


def test_a_server_that_is_gone_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"url": "http://127.0.0.1:1", "pid": 4194304000}')
    server = node_checks.find_server(tmp_path)
    assert server is not None
    assert node_checks.check_hub(server).level is Level.WARN
    (tmp_path / "server.json").write_text("{")
    assert node_checks.find_server(tmp_path) is None


def test_a_server_that_does_not_answer_is_a_failure() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        server = node_checks.Server(f"http://127.0.0.1:{nobody.getsockname()[1]}", os.getpid(), running=True)
        assert node_checks.check_hub(server).level is Level.FAIL
