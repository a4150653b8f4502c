"""Which node of a group may write, whatever is promoted, heard of, restarted and configured anew."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import ConflictError, ForbiddenError, InputError, StoreError
from markethub.domain.node import Role
from markethub.ports.data_store import DataStore
from markethub.ports.replication import Patch, PatchCounts
from markethub.replication.marks import COPY_MARK, FOLLOWED_MARK, VERIFIED_MARK
from markethub.replication.reign import MARK, Reign
from markethub.stores.memory import MemorySeriesStore

_NODES = 3

steps = st.lists(
    st.one_of(
        st.tuples(st.just("promote"), st.integers(0, _NODES - 1)),
        st.tuples(st.just("hear"), st.integers(0, _NODES - 1), st.integers(0, _NODES - 1)),
        st.tuples(st.just("restart"), st.integers(0, _NODES - 1), st.sampled_from(Role)),
    ),
    max_size=25,
)


async def start(store: DataStore, role: Role) -> Reign:
    reign = Reign(store, role)
    await reign.settle()
    return reign


async def play(stores: Sequence[DataStore], wanted: list[tuple[object, ...]]) -> list[Reign]:
    """Carry out the steps on a group that begins with one master; no epoch may ever fall meanwhile."""
    reigns = [
        await start(store, Role.MASTER if not number else Role.SLAVE) for number, store in enumerate(stores)
    ]
    for step in wanted:
        before = [reign.epoch for reign in reigns]
        match step:
            case ("promote", int(one)):
                if not reigns[one].may_write:
                    assert await reigns[one].promote() > before[one]
            case ("hear", int(one), int(other)):
                await reigns[one].hear_text(reigns[other].tell())
            case ("restart", int(one), Role() as role):
                reigns[one] = await start(stores[one], role)
        assert all(reign.epoch >= epoch for reign, epoch in zip(reigns, before, strict=True))
    return reigns


@settings(max_examples=150, deadline=None)
@given(wanted=steps)
def test_at_most_one_writes_once_everyone_has_heard_everyone(wanted: list[tuple[object, ...]]) -> None:
    async def run() -> None:
        stores = [MemorySeriesStore() for _ in range(_NODES)]
        reigns = await play(stores, wanted)
        for _ in range(2):
            for reign in reigns:
                for other in reigns:
                    await reign.hear_text(other.tell())
        assert sum(reign.may_write for reign in reigns) <= 1
        # what was heard is durable
        again = [Reign(store, reign._configured) for store, reign in zip(stores, reigns, strict=True)]
        assert [reign.tell() for reign in again] == [reign.tell() for reign in reigns]
        assert [reign.may_write for reign in again] == [reign.may_write for reign in reigns]

    asyncio.run(run())


@pytest.fixture
def store() -> DataStore:
    return MemorySeriesStore()


async def test_a_promotion_outlasts_restarts_with_the_same_configuration(store: DataStore) -> None:
    reign = await start(store, Role.SLAVE)
    assert (reign.role, reign.epoch, reign.may_write) == (Role.SLAVE, 1, False)
    assert await reign.promote() == 2
    with pytest.raises(ConflictError, match="master already, with epoch 2"):
        await reign.promote()
    for role in (Role.SLAVE, Role.MASTER, Role.MASTER):
        again = await start(store, role)
        assert (again.role, again.epoch, again.may_write) == (Role.MASTER, 2, True)


async def test_a_replaced_master_writes_nothing_until_it_is_made_a_slave(store: DataStore) -> None:
    reign = await start(store, Role.MASTER)
    await reign.hear(3)
    for one in (reign, await start(store, Role.MASTER)):
        assert (one.role, one.epoch, one.fenced_by, one.may_write) == (Role.MASTER, 1, 3, False)
        with pytest.raises(
            ConflictError, match=r"promoted with epoch 3, this one has 1; start it as a slave"
        ):
            one.require_write()
    slave = await start(store, Role.SLAVE)
    assert (slave.role, slave.epoch, slave.fenced_by) == (Role.SLAVE, 3, None)


@pytest.mark.parametrize("configured", [Role.SLAVE, Role.MASTER])
async def test_who_has_reigned_begins_to_follow_anew(store: DataStore, configured: Role) -> None:
    """What it wrote nobody else has: no watermark of before leads on to that."""
    reign = await start(store, Role.SLAVE)
    marks = dict.fromkeys((FOLLOWED_MARK, COPY_MARK, VERIFIED_MARK), "from before")
    store.replica.apply_patch(Patch(marks=marks)).result()
    await start(store, Role.SLAVE)
    assert {store.replica.read_mark(name) for name in marks} == {"from before"}
    if configured is Role.SLAVE:
        await reign.promote()
        # still on its way from the former master when it was promoted
        store.replica.apply_patch(Patch(marks=marks)).result()
        await start(store, Role.SLAVE)
        assert {store.replica.read_mark(name) for name in marks} == {"from before"}
    else:
        reign = await start(store, Role.MASTER)
    await reign.hear(9)
    await start(store, Role.SLAVE)
    assert {store.replica.read_mark(name) for name in marks} == {None}


async def test_a_promotion_counts_though_its_caller_gave_up(
    store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reign = await start(store, Role.SLAVE)
    apply_patch, durable = store.replica.apply_patch, Future[PatchCounts]()
    monkeypatch.setattr(store.replica, "apply_patch", lambda patch: (apply_patch(patch), durable)[1])
    promoting = asyncio.create_task(reign.promote())
    await asyncio.sleep(0)
    promoting.cancel()
    await asyncio.sleep(0)
    durable.set_result(PatchCounts(0, 0, 0, 0))
    with pytest.raises(asyncio.CancelledError):
        await promoting
    assert (reign.role, reign.epoch) == (Role.MASTER, 2)


async def test_a_replaced_master_can_be_promoted_to_take_over_again(store: DataStore) -> None:
    reign = await start(store, Role.MASTER)
    await reign.hear(7)
    assert await reign.promote() == 8
    assert reign.may_write
    reign.require_write()


async def test_a_promoted_slave_that_was_replaced_is_a_slave_after_its_restart(store: DataStore) -> None:
    reign = await start(store, Role.SLAVE)
    await reign.promote()
    await reign.hear(5)
    assert (reign.role, reign.fenced_by) == (Role.MASTER, 5)
    again = await start(store, Role.SLAVE)
    assert (again.role, again.epoch, again.fenced_by) == (Role.SLAVE, 5, None)


async def test_a_slave_that_is_configured_as_the_master_begins_a_reign(store: DataStore) -> None:
    await (await start(store, Role.SLAVE)).hear(4)
    reign = await start(store, Role.MASTER)
    assert (reign.epoch, reign.may_write) == (5, True)
    assert (await start(store, Role.MASTER)).epoch == 5


async def test_of_two_that_were_promoted_apart_one_is_replaced() -> None:
    one, other = [await start(MemorySeriesStore(), Role.SLAVE) for _ in range(2)]
    assert await one.promote() == await other.promote() == 2
    one_tells, other_tells = one.tell(), other.tell()
    assert one_tells != other_tells
    await one.hear_text(other_tells)
    await other.hear_text(one_tells)
    assert sorted([one.may_write, other.may_write]) == [False, True]


async def test_a_slave_refuses_writes_and_says_where_the_master_is(store: DataStore) -> None:
    with pytest.raises(ForbiddenError, match=r"ask the master at https://hub\.example\.com:11183"):
        Reign(store, Role.SLAVE, "https://hub.example.com:11183").require_write()
    with pytest.raises(ForbiddenError, match="only a master does this; this node is a slave"):
        Reign(store, Role.SLAVE).require_role(Role.MASTER)
    Reign(store, Role.SLAVE).require_role(Role.SLAVE)


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "+1", "1.", "1.xyz", "1.0123456", "1.012345678", "1" * 16, "1\n", "١", "1.5"]
)
async def test_what_is_no_epoch_is_refused(store: DataStore, text: str) -> None:
    reign = await start(store, Role.MASTER)
    with pytest.raises(InputError, match="is not the epoch of a reign"):
        await reign.hear_text(text)
    assert reign.may_write


async def test_a_mark_of_a_later_version_is_not_guessed_at(store: DataStore) -> None:
    store.replica.apply_patch(Patch(marks={MARK: '{"epoch":5,"council":["a"]}'})).result()
    with pytest.raises(StoreError, match="later version"):
        Reign(store, Role.MASTER)


async def test_every_change_is_told(store: DataStore) -> None:
    reign = await start(store, Role.SLAVE)
    waiting = asyncio.create_task(reign.wait_for_change())
    await asyncio.sleep(0)
    await reign.hear(1)
    assert not waiting.done()
    await reign.promote()
    await asyncio.wait_for(waiting, 5)
