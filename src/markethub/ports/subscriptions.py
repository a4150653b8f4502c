"""Which instruments are subscribed: what work without symbols of its own is about."""

from collections.abc import Sequence
from typing import Protocol

from markethub.domain.symbol import Symbol


class Subscriptions(Protocol):
    """The subscribed instruments as they stand now."""

    async def symbols(self, exchanges: Sequence[str] | None = None) -> list[Symbol]:
        """Those of these exchanges (None: of all), ascending, each once; none is an empty list."""
