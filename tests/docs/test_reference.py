"""The reference is what the code says, and nothing in it lacks its text."""

import re
from pathlib import Path

import httpx2
import pytest

from markethub.api.app import create_api
from markethub.app import open_hub
from markethub.config import Settings
from markethub.control.database import open_database
from markethub.domain.errors import MarketHubError
from markethub.engine.engine import Engine
from markethub.engine.settings import EngineSettings
from markethub.jobs.job_parameters import PARAMETER_WORDS
from markethub.jobs.kline_sync_plan import DEFAULT_INTERVALS, DEFAULT_LOOKBACK_DAYS, DEFAULT_RECHECK_BARS
from markethub.jobs.target_sync import _DEFAULT_DEPTH
from markethub.mcp.tools import TOOLS
from markethub.services.access import SCOPES, create_token
from tests.bare_hub import bare_hub
from tools.reference import FOLDER, WRITERS, Reference, build_reference
from tools.reference.commands import list_commands
from tools.reference.jobs import list_handlers
from tools.reference.markdown import Gaps, meaning, prose
from tools.reference.routes import list_operations, scope_of
from tools.reference.settings import _find_options, _read_attribute_docstrings


@pytest.fixture(scope="module")
def reference() -> Reference:
    return build_reference()


def test_nothing_lacks_its_text(reference: Reference) -> None:
    assert reference.gaps == []


@pytest.mark.parametrize("name", WRITERS)
def test_pages_are_what_the_code_says(reference: Reference, name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == reference.pages[name], "run `make docs`"


def test_no_page_is_left_of_what_is_gone() -> None:
    assert {page.name for page in FOLDER.iterdir()} == set(WRITERS)


def _headings(text: str) -> set[str]:
    return set(re.findall(r"^#+ (.*)$", text, re.MULTILINE))


def test_every_thing_has_its_place(reference: Reference) -> None:
    pages = reference.pages
    assert {f"{method} {path}" for method, path, _ in list_operations()} <= _headings(pages["routes.md"])
    assert {name for name, _ in list_commands()} <= _headings(pages["commands.md"])
    assert set(TOOLS) <= _headings(pages["tools.md"])
    for name in Settings.model_fields:
        assert f"| `{name}` |" in pages["settings.md"] or f"## [{name}" in pages["settings.md"]
    for scope in SCOPES:
        assert f"| `{scope}` |" in pages["scopes.md"]
    for error in MarketHubError.__subclasses__():
        assert f"`{error.__name__}`" in pages["errors.md"]


async def test_the_scopes_told_are_those_asked_for(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path / 'control.sqlite'}")
    hub = bare_hub(database, Engine(database, {}, EngineSettings()), database.clock)
    headers = {}
    for other in ("read:dms", "write:dms"):
        token, _ = await create_token(database, database.clock(), name=other, scopes=[other])
        headers[other] = {"Authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(create_api(hub))
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:
        for method, path, operation in list_operations():
            scope = scope_of(operation)
            shown = headers["write:dms" if scope == "read:dms" else "read:dms"]
            answer = await client.request(method, re.sub(r"{.*?}", "1", path), headers=shown)
            if scope is None:
                assert answer.status_code != 403 or path == "/metrics", path
            else:
                assert answer.status_code == 403, path
                told = answer.json()
                message = told["detail"] if path.startswith("/api/dms") else told["error"]["message"]
                assert f"the scope {scope};" in message, path
    await database.close()


def test_the_defaults_told_are_those_taken() -> None:
    for name, default in (
        ("recheck_bars", DEFAULT_RECHECK_BARS),
        ("lookback_days", DEFAULT_LOOKBACK_DAYS),
        ("limit", _DEFAULT_DEPTH),
    ):
        assert f"; {default} when left out" in PARAMETER_WORDS[name]
    assert f"`{'`, `'.join(DEFAULT_INTERVALS)}` for a sync" in PARAMETER_WORDS["intervals"]


async def test_every_handler_of_a_hub_is_told(tmp_path: Path) -> None:
    async with open_hub(Settings(data_dir=tmp_path)) as hub:
        assert set(list_handlers()) == set(hub.engine.handlers)


def test_a_missing_text_is_a_gap() -> None:
    gaps: Gaps = []
    assert meaning("  \n", "setting x.y", gaps) == "?"
    assert meaning("told", "setting x.z", gaps) == "Told"
    assert gaps == ["setting x.y"]


def test_attribute_docstrings_are_read_where_they_stand() -> None:
    for options in _find_options():
        texts = _read_attribute_docstrings(options)
        assert "Seconds that one request may take." in texts["request_timeout_s"]
    assert prose("One.\n\n    Two ``code``\n    lines.") == "One.\n\nTwo `code` lines."
