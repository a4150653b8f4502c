"""Both clients behind one way to call them."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

from markethub.client import AsyncDataHub, DataHub
from tests.client.scripted_server import Seen

TOKEN = "mh_abcd1234_secret"


class Caller:
    """Calls a method of either client by name, and waits for its answer."""

    def __init__(self, kind: str, url: str, timeout_s: float) -> None:
        self._runner = asyncio.Runner() if kind == "asyncio" else None
        client_type = AsyncDataHub if kind == "asyncio" else DataHub
        self.client: Any = client_type(url, TOKEN, timeout_s=timeout_s)

    def __call__(self, method: str, *arguments: object, **named: object) -> Any:  # noqa: ANN401  (any method's answer)
        found = getattr(self.client, method)(*arguments, **named)
        return found if self._runner is None else self._runner.run(found)

    def close(self) -> None:
        self("close")
        if self._runner is not None:
            self._runner.close()


def query_of(seen: Seen) -> dict[str, str]:
    """The query of a request; of a repeated name the first value."""
    return {name: values[0] for name, values in parse_qs(urlsplit(seen.path).query).items()}
