"""One sandbox for all, and hubs that can be killed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub_process import HubProcess, running_sandbox_process


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_sandbox_process(tmp_path_factory.mktemp("sandbox") / "sandbox.log") as url:
        yield url


@pytest.fixture
def hub_process(tmp_path: Path, sandbox_url: str) -> Iterator[Callable[[str], HubProcess]]:
    made: list[HubProcess] = []

    def make(name: str) -> HubProcess:
        made.append(HubProcess(tmp_path / name, sandbox_url))
        return made[-1]

    yield make
    for hub in made:
        if hub.process is not None and hub.process.poll() is None:
            hub.kill()
