"""A scripted server, both clients; no test may see the developer's own hub."""

from collections.abc import Iterator

import pytest

from tests.client.caller import Caller
from tests.client.scripted_server import ScriptedServer


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Unset the client's variables, and point it to a folder without a hub."""
    for name in ("MARKETHUB_URL", "MARKETHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(tmp_path_factory.mktemp("no_hub_here")))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()


@pytest.fixture(params=["blocking", "asyncio"])
def call(request: pytest.FixtureRequest, server: ScriptedServer) -> Iterator[Caller]:
    """Call a method of either client by name."""
    caller = Caller(request.param, server.url, timeout_s=5)
    yield caller
    caller.close()
