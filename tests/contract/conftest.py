"""A hub as `markethub serve` runs it, with the sandbox as its venue."""

from collections.abc import Iterator

import pytest

from markethub import DataHub
from tests.api.served_hub import ServedHub, served_hub
from tests.sandbox_hub import open_sandbox_hub


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    folder = tmp_path_factory.mktemp("contract")
    with served_hub(lambda: open_sandbox_hub(folder)) as served:
        yield served


@pytest.fixture(scope="session")
def client(served: ServedHub) -> Iterator[DataHub]:
    with DataHub(served.url, served.tokens["admin"]) as client:
        yield client
