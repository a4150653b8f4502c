"""A hub without exchanges, accounts or bars, for use cases that need its control database alone."""

from dataclasses import dataclass

from markethub.control.database import Database
from markethub.domain.node import Role
from markethub.domain.support import SUPPORT
from markethub.domain.symbol import Account
from markethub.engine.engine import Engine
from markethub.jobs.accounts import AccountAccess
from markethub.ports.clock import Clock
from markethub.ports.data_store import DataStore
from markethub.ports.keys import ApiKey
from markethub.replication.node import Node
from markethub.replication.reign import Reign
from markethub.replication.source import StoreSource
from markethub.services.accounts import AccountBook
from markethub.services.hub import Hub
from markethub.stores.memory import MemorySeriesStore


@dataclass
class StillClock:
    """Stands still until moved."""

    now_ms: int = 1_767_225_600_000

    def __call__(self) -> int:
        return self.now_ms


class NoKeys:
    """No account is configured."""

    def accounts(self) -> list[Account]:
        return []

    def key_of(self, account: Account) -> ApiKey:
        raise AssertionError("nothing here asks an exchange")


def lone_node(store: DataStore, clock: Clock) -> Node:
    """A master without slaves."""
    reign = Reign(store, Role.MASTER)
    source = StoreSource(store, lambda: reign.epoch)
    return Node("master", "localhost", 11183, reign, store, source, clock())


def bare_hub(database: Database, engine: Engine, clock: Clock) -> Hub:
    store = MemorySeriesStore()
    return Hub(
        store=store,
        records=store.records,
        database=database,
        engine=engine,
        venues={},
        accounts=AccountBook(AccountAccess({}, NoKeys()), clock),
        support=SUPPORT,
        clock=clock,
        node=lone_node(store, clock),
        max_read_rows=1,
        backfill_timeout_s=None,
    )
