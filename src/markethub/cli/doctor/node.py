"""The node on the data folder: its control database, its store, its server."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2
import orjson
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from markethub.app import open_store
from markethub.cli.connection import control_file
from markethub.cli.doctor.finding import Finding, fail, ok, warn
from markethub.cli.doctor.folder import FIRST_START
from markethub.client.connection import pin_certificate
from markethub.config import Settings
from markethub.control.faults import translated_errors
from markethub.control.schema import SCHEMA_REVISION
from markethub.domain.errors import MarketHubError, StoreLockedError

_REGISTRY_FILE = "server.json"
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """A hub that registered itself in the data folder; ``running``: its process is still there."""

    url: str
    pid: int
    running: bool
    certificate: str | None = None


def find_server(data_dir: Path) -> Server | None:
    """What ``server.json`` says; None when it is missing or unreadable."""
    try:
        match orjson.loads((data_dir / _REGISTRY_FILE).read_bytes()):
            case {"url": str(url), "pid": int(pid), **more}:
                certificate = more.get("certificate")
                pinned = certificate if isinstance(certificate, str) else None
                return Server(url, pid, _is_running(pid), pinned)
    except (OSError, orjson.JSONDecodeError):
        pass
    return None


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


async def check_control(settings: Settings) -> Finding:
    """The control database opens and has the schema of this code; nothing is migrated."""
    name = "control database"
    file = control_file(settings)
    if file is not None and not file.is_file():
        return warn(name, f"{file} is not there yet", FIRST_START)
    try:
        with translated_errors():
            found = await _read_schema(make_url(settings.control_url), file)
    except (MarketHubError, SQLAlchemyError, OSError, sqlite3.Error) as error:
        advice = "restore a backup" if file is not None else "look at the server and the setting control.url"
        return fail(name, str(error), advice)
    if found == SCHEMA_REVISION:
        return ok(name, f"{file or 'PostgreSQL'}, schema {found}")
    if found is None or found < SCHEMA_REVISION:
        advice = "`markethub serve` migrates it at its next start"
        return warn(name, f"schema {found or 'is empty'}, this version has {SCHEMA_REVISION}", advice)
    advice = "run the MarketHub that wrote it, or a later one"
    return fail(name, f"schema {found} is newer than {SCHEMA_REVISION} of this version", advice)


async def _read_schema(address: URL, file: Path | None) -> str | None:
    if file is None:
        readable = address.set(drivername="postgresql+asyncpg")
    else:
        place = f"file:{quote(str(file))}"
        readable = URL.create("sqlite+aiosqlite", database=place, query={"mode": "ro", "uri": "true"})
    engine = create_async_engine(readable, connect_args={"timeout": _TIMEOUT_S})
    try:
        async with engine.connect() as connection:
            found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            return None if found is None else str(found)
    finally:
        await engine.dispose()


def check_store(settings: Settings, server: Server | None) -> Finding:
    """The store opens, or the hub that runs here holds it."""
    path = settings.store_path
    if not path.exists():
        return warn("store", f"{path} is not there yet", FIRST_START)
    try:
        store = open_store(path)
    except StoreLockedError as error:
        if server is not None and server.running:
            return ok("store", f"{path}, held by the hub at {server.url} (process {server.pid})")
        return warn("store", str(error), "find the process that holds it, or wait until it ends")
    except MarketHubError as error:
        return fail("store", str(error), "restore a backup, or move the file away and backfill again")
    try:
        rows = sum(summary.rows for summary in store.summaries())
        return ok("store", f"{path}, {rows} bars, revision {store.revision()}")
    except MarketHubError as error:
        return fail("store", str(error), "restore a backup, or move the file away and backfill again")
    finally:
        store.close()


def check_hub(server: Server | None) -> Finding:
    """The registered hub answers and says that it is ready."""
    if server is None:
        return warn("hub", "none runs on this data folder", "start it with `markethub serve`")
    if not server.running:
        advice = "start it again with `markethub serve`: it goes on where it was"
        return warn("hub", f"process {server.pid} is gone without having said goodbye", advice)
    try:
        # Plain HTTP has no certificates, and loading the authorities would take a while.
        trust = False if server.certificate is None else pin_certificate(server.certificate)
        answer = httpx2.get(f"{server.url}/healthz", timeout=_TIMEOUT_S, trust_env=False, verify=trust)
        report = orjson.loads(answer.content)
    except (httpx2.HTTPError, orjson.JSONDecodeError, MarketHubError) as error:
        detail = f"{server.url} does not answer: {type(error).__name__}: {error}"
        return fail("hub", detail, f"look at the log of process {server.pid}")
    if answer.status_code != 200:
        problems = "; ".join(report.get("problems", [])) or f"HTTP {answer.status_code}"
        detail = f"{server.url} is not ready: {problems}"
        return fail("hub", detail, f"look at the log of process {server.pid}")
    return ok("hub", f"{server.url} is ready (process {server.pid})")
