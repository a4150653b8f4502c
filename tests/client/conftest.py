"""No test may see the developer's own hub."""

import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Unset the client's variables, and point it to a folder without a hub."""
    for name in ("MARKETHUB_URL", "MARKETHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(tmp_path_factory.mktemp("no_hub_here")))
