"""One sandbox for all, and hubs that can be killed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub_process import START_S, HubProcess, start_command


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("sandbox") / "sandbox.log"
    process = start_command(["sandbox", "--port", "0", "--no-limits"], log, {})
    try:
        end_s = time.monotonic() + START_S
        while "listens on http" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end_s, log.read_text()
            time.sleep(0.05)
        yield next(word.rstrip(";") for word in log.read_text().split() if word.startswith("http://"))
    finally:
        process.terminate()
        process.wait(20)


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
