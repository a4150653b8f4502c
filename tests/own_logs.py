"""Log lines of a test itself: hubs that other fixtures keep running in threads write theirs at any time."""

import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import capture_logs


@contextmanager
def own_logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """The lines that this thread writes while the block lasts, as ``capture_logs`` tells those of all."""
    own = threading.get_ident()

    def drop_others(
        _logger: object, _method: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        if threading.get_ident() != own:
            raise structlog.DropEvent
        return line

    with capture_logs(processors=[drop_others]) as lines:
        yield lines
