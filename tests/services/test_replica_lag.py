"""How far behind slaves are: as their master sees them, and as one sees itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

import pytest

from markethub.control.database import Database
from markethub.control.replica_states import ReplicaState
from markethub.domain.errors import InputError, NotFoundError
from markethub.domain.node import NodeAddress, Role
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.engine.engine import Engine
from markethub.engine.settings import EngineSettings
from markethub.replication.follower import Mode, Verdict
from markethub.replication.following import FollowingState
from markethub.replication.node import SlaveNode
from markethub.replication.reign import Reign
from markethub.services.dms_lag import ReplicaLag, replica_lags
from markethub.services.dms_reports import take_report
from markethub.services.hub import Hub
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.store_contract import BTC, ETH, bars_at, minutes
from tests.bare_hub import StillClock, bare_hub

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass
class Still:
    """A Following that does nothing."""

    state: FollowingState
    copied_rows: Mapping[Mode, int] = field(default_factory=dict)

    async def start(self) -> None: ...
    async def drain(self) -> None: ...
    def wake(self) -> None: ...
    async def request(self, symbol: Symbol | None, span: Span) -> int:
        return 0

    def queue(self, symbol: Symbol | None, span: Span) -> None: ...
    async def verify(self) -> Verdict:
        return Verdict(0, [], [])


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def hub(database: Database, clock: StillClock) -> Hub:
    """A master with two slaves and a store by the same clock."""
    hub = bare_hub(database, Engine(database, {}, EngineSettings()), clock)
    store = MemorySeriesStore(clock)
    slaves = {name: SlaveNode(NodeAddress(name, "127.0.0.1", 1), enabled=True) for name in ("one", "two")}
    reign = await asyncio.to_thread(Reign, store, Role.MASTER)
    return replace(hub, store=store, node=replace(hub.node, store=store, slaves=slaves, reign=reign))


def state_at(hub: Hub, revision: int | None, **others: object) -> dict[str, object]:
    """What a slave tells that has everything up to ``revision``."""
    state = ReplicaState(hub.node.store.replica.store_id, 1, revision, {}, 5, 6, 1, 0, 0, None)
    return asdict(state) | others


async def test_the_lag_grows_while_a_slave_is_silent(hub: Hub, clock: StillClock) -> None:
    store = hub.node.store
    assert await replica_lags(hub) == {}
    store.upsert(BTC, bars_at(minutes(0, 5))).result()
    await take_report(hub, "one", state_at(hub, 1), [])
    assert await replica_lags(hub) == {"one": ReplicaLag(5, 0, 0, 0.0, 6, None)}
    clock.now_ms += 1_000
    store.upsert(BTC, bars_at(minutes(5, 9))).result()
    clock.now_ms += 7_000
    store.upsert(ETH, bars_at(minutes(0, 1))).result()
    clock.now_ms += 500
    assert await replica_lags(hub) == {"one": ReplicaLag(5, 2, 5, 7.5, 6, None)}
    await take_report(hub, "one", state_at(hub, 2, error="away"), [])
    assert await replica_lags(hub) == {"one": ReplicaLag(5, 1, 1, 0.5, 6, "away")}


async def test_what_a_slave_does_not_want_is_no_lag_in_rows_or_time(hub: Hub, clock: StillClock) -> None:
    await take_report(hub, "one", state_at(hub, 0, selection={"symbols": ["ETH_USDT.BNC"]}), [])
    hub.node.store.upsert(BTC, bars_at(minutes(0, 5))).result()
    clock.now_ms += 1_000
    lag = (await replica_lags(hub))["one"]
    assert (lag.revisions, lag.rows, lag.seconds) == (1, 0, 0.0)


@pytest.mark.parametrize("other", [{"store_id": "ab" * 16}, {"revision": None}, {"store_id": None}])
async def test_who_follows_another_history_lacks_all(hub: Hub, other: dict[str, object]) -> None:
    hub.node.store.upsert(BTC, bars_at(minutes(0, 5))).result()
    await take_report(hub, "one", state_at(hub, 1) | other, [])
    lag = (await replica_lags(hub))["one"]
    assert (lag.revisions, lag.rows) == (1, 5)


async def test_a_slave_that_is_configured_no_more_is_not_told(hub: Hub) -> None:
    await take_report(hub, "one", state_at(hub, 0), [])
    gone = replace(hub, node=replace(hub.node, slaves={}))
    assert await replica_lags(gone) == {}
    with pytest.raises(NotFoundError, match="'one'"):
        await take_report(gone, "one", state_at(hub, 0), [])
    with pytest.raises(InputError):
        await take_report(hub, "one", state_at(hub, 0, selection={"venues": ["nonsense"]}), [])


@pytest.mark.parametrize(
    ("state", "lag"),
    [
        (FollowingState(None, None, None, None, None), ReplicaLag(None, None, None, None, None, None)),
        (FollowingState(1_000, 7, 7, 500, None), ReplicaLag(1_000, 0, 0, 0.0, 500, None)),
        (FollowingState(1_000, 5, 7, 500, None), ReplicaLag(1_000, 2, None, 9.0, 500, None)),
        (FollowingState(1_000, 7, 7, 500, "away"), ReplicaLag(1_000, 0, 0, 9.0, 500, "away")),
        (FollowingState(None, None, 7, None, None), ReplicaLag(None, 7, None, None, None, None)),
        (FollowingState(20_000, 5, 7, None, None), ReplicaLag(20_000, 2, None, 0.0, None, None)),
    ],
)
async def test_a_slave_about_itself(
    hub: Hub, clock: StillClock, state: FollowingState, lag: ReplicaLag
) -> None:
    clock.now_ms = 10_000
    reign = await asyncio.to_thread(Reign, hub.node.store, Role.SLAVE)
    node = replace(hub.node, name="backup1", reign=reign, following=Still(state))
    assert await replica_lags(replace(hub, node=node)) == {"backup1": lag}
    assert await replica_lags(replace(hub, node=replace(node, following=None))) == {}
