"""MarketHub: a trading team's market and account data, complete, correct and fast to read."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markethub.app import open_store as open  # noqa: A004  (markethub.open is meant to read like open)
    from markethub.client import AsyncDataHub, DataHub
    from markethub.client.default import datahub

__all__ = ["AsyncDataHub", "DataHub", "datahub", "open"]

_HOMES = {
    "AsyncDataHub": ("markethub.client", "AsyncDataHub"),
    "DataHub": ("markethub.client", "DataHub"),
    "datahub": ("markethub.client.default", "datahub"),
    "open": ("markethub.app", "open_store"),
}


if not TYPE_CHECKING:  # a type checker that saw it would take any misspelt name for an object

    def __getattr__(name: str) -> object:
        # On demand: the domain is imported by everything, and must not pull in a store or an HTTP client.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _HOMES[name]
        return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
