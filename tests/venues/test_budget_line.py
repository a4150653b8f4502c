"""Who goes next."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.ports.budget import Asker, current_asker
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.line import Line, Waiter
from tests.simulated_venue import FakeTime, make_budget


def waiter(name: str = "a", weight: int = 1, *, fresh: bool = False) -> Waiter[int]:
    return Waiter(Asker(name, fresh), weight, 0.0, asyncio.get_running_loop().create_future())


def drain(line: Line[int]) -> Iterator[Waiter[int]]:
    while line:
        yield line.serve()


async def test_an_asker_is_served_in_its_order() -> None:
    line = Line[int]()
    mine = [waiter("a", weight) for weight in (3, 1, 2)]
    for one in mine:
        line.join(one)
    assert list(drain(line)) == mine


async def test_askers_take_turns_whoever_came_first() -> None:
    line = Line[int]()
    for _ in range(1000):
        line.join(waiter("many"))
    line.join(waiter("single"))
    assert [line.serve().asker.name for _ in range(3)] == ["many", "single", "many"]


async def test_turns_are_fair_by_weight() -> None:
    line = Line[int]()
    for _ in range(200):
        line.join(waiter("heavy", 20))
        line.join(waiter("light", 2))
    served = Counter[str]()
    for _ in range(110):
        one = line.serve()
        served[one.asker.name] += one.weight
    assert abs(served["heavy"] - served["light"]) <= 20


async def test_whoever_asks_one_by_one_is_not_favoured() -> None:
    line = Line[int]()
    for _ in range(500):
        line.join(waiter("many", 2))
    served = Counter[str]()
    for _ in range(150):  # the other has one request in the line at a time, a heavy one
        if not any(one.asker.name == "single" for one in line):
            line.join(waiter("single", 20))
        one = line.serve()
        served[one.asker.name] += one.weight
    assert abs(served["many"] - served["single"]) <= 22


async def test_a_newcomer_gets_no_credit_for_the_past() -> None:
    line = Line[int]()
    for _ in range(100):
        line.join(waiter("old"))
    for _ in range(50):
        line.serve()
    for _ in range(20):
        line.join(waiter("new"))
    names = [line.serve().asker.name for _ in range(20)]
    assert 9 <= names.count("new") <= 11


async def test_fresh_work_goes_first_and_history_gets_a_tenth() -> None:
    line = Line[int]()
    for _ in range(300):
        line.join(waiter("history"))
        line.join(waiter("fresh", fresh=True))
    kinds = [line.serve().asker.is_fresh for _ in range(300)]
    assert all(kinds[:9])
    assert kinds.count(False) == 30
    assert max(len(run) for run in "".join("f" if fresh else "h" for fresh in kinds).split("h")) <= 9


async def test_history_that_did_not_wait_has_nothing_owed() -> None:
    line = Line[int]()
    for _ in range(50):
        line.join(waiter("fresh", fresh=True))
    for _ in range(30):
        line.serve()
    line.join(waiter("history"))
    assert [line.serve().asker.is_fresh for _ in range(9)] == [True] * 9
    assert not line.serve().asker.is_fresh


steps = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.sampled_from("abc"), st.integers(1, 20), st.booleans()),
        st.tuples(st.just("leave"), st.integers(0, 30)),
        st.just(("serve",)),
    ),
    max_size=80,
)


@settings(max_examples=200)
@given(steps=steps)
async def test_nobody_is_lost_and_nobody_served_twice(steps: list[tuple[object, ...]]) -> None:
    line = Line[int]()
    waiting: list[Waiter[int]] = []
    for step in steps:
        match step:
            case ("join", str(name), int(weight), bool(fresh)):
                waiting.append(waiter(name, weight, fresh=fresh))
                line.join(waiting[-1])
            case ("leave", int(index)) if waiting:
                gone = waiting.pop(index % len(waiting))
                line.leave(gone)
                line.leave(gone)  # once more changes nothing
            case ("serve",) if waiting:
                first = line.first()
                assert line.serve() is first
                waiting.remove(first)
        assert len(line) == len(waiting)
        assert set(line) == set(waiting)
        assert line.weight == sum(one.weight for one in waiting)
    assert sorted(drain(line), key=id) == sorted(waiting, key=id)
    assert line.weight == 0


def _count_calls(line: Line[int], single: Waiter[int], gone: Waiter[int]) -> int:
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        line.join(single)
        line.leave(gone)
        line.serve()
        line.serve()
    finally:
        sys.setprofile(None)
    return calls


async def test_the_cost_of_a_turn_does_not_grow_with_an_askers_requests() -> None:
    costs = set()
    for size in (10, 10_000):
        line = Line[int]()
        crowd = [waiter("crowd") for _ in range(size)]
        for one in crowd:
            line.join(one)
        costs.add(_count_calls(line, waiter("single"), crowd[size // 2]))
    assert len(costs) == 1


async def _ask(budget: WeightBudget, name: str, served: list[str], *, fresh: bool = False) -> None:
    current_asker.set(Asker(name, fresh))
    with await budget.acquire(1, patience_s=0):
        served.append(name)


async def test_the_gate_asks_who_asks() -> None:
    simulated = FakeTime()
    budget = make_budget(simulated, 10)
    served: list[str] = []
    crowd = [_ask(budget, "crowd", served) for _ in range(30)]
    others = [_ask(budget, "single", served), _ask(budget, "news", served, fresh=True)]
    await simulated.run(*crowd, *others)
    assert served[:10] == ["crowd"] * 10  # nobody else was there
    assert served[10] == "news"
    assert "single" in served[11:13]
    assert len(served) == 32


async def test_fresh_work_overtakes_a_request_that_waits_for_its_window() -> None:
    simulated = FakeTime()
    budget = make_budget(simulated, 10)
    order: list[str] = []

    async def ask(name: str, weight: int, after_s: float, *, fresh: bool) -> None:
        current_asker.set(Asker(name, fresh))
        await simulated.sleep(after_s)
        with await budget.acquire(weight, patience_s=0):
            order.append(name)

    await simulated.run(
        ask("first", 6, 0, fresh=False), ask("large", 6, 1, fresh=False), ask("news", 4, 2, fresh=True)
    )
    assert order == ["first", "news", "large"]


async def test_many_waiting_requests_leave_nothing_behind_when_cancelled() -> None:
    simulated = FakeTime()
    budget = make_budget(simulated, 5)
    waiting: list[asyncio.Task[None]] = []

    async def scenario() -> None:
        with await budget.acquire(5, patience_s=0):
            waiting.extend(asyncio.create_task(_ask(budget, "a", [])) for _ in range(1000))
            await simulated.sleep(1)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
        state = budget.state()
        assert (state.waiting, state.used) == (0, 5)
        await simulated.sleep(0)
        assert budget._clerk is None

    assert await simulated.run(scenario()) == [None]


async def test_who_stood_behind_a_large_request_goes_when_that_one_leaves() -> None:
    simulated = FakeTime()
    budget = make_budget(simulated, 10)

    async def scenario() -> None:
        with await budget.acquire(6, patience_s=0):
            pass
        large = asyncio.create_task(budget.acquire(6, patience_s=0))
        await simulated.sleep(1)
        small = asyncio.create_task(_ask(budget, "", []))
        await simulated.sleep(1)
        assert budget.state().waiting == 2
        left_s = simulated.now_s
        large.cancel()
        await small
        assert simulated.now_s == left_s

    assert await simulated.run(scenario()) == [None]


async def test_a_request_cancelled_in_the_moment_it_is_admitted_gives_its_weight_back() -> None:
    simulated = FakeTime()
    budget = make_budget(simulated, 5)

    async def scenario() -> None:
        with await budget.acquire(5, patience_s=0):
            late = asyncio.create_task(budget.acquire(3, patience_s=0))
            await simulated.sleep(1)
        budget.set_limit(100)
        while budget.state().waiting:  # noqa: ASYNC110 - the very turn of the loop is meant
            await asyncio.sleep(0)
        late.cancel()  # admitted, but not yet running again
        await asyncio.wait([late])
        assert late.cancelled()
        assert budget.state().used == 5
        with await budget.acquire(95, patience_s=0):
            pass

    assert await simulated.run(scenario()) == [None]


async def test_whoever_asks_again_at_once_is_served_again() -> None:
    """The one who was admitted last runs before anyone learns that the line's clerk has gone home."""
    simulated = FakeTime()
    budget = make_budget(simulated, 1)

    async def ask_again_and_again() -> None:
        for _ in range(5):
            with await budget.acquire(1, patience_s=0):
                pass

    assert await simulated.run(ask_again_and_again()) == [None]


async def test_a_mistake_of_ours_reaches_those_who_wait() -> None:
    simulated = FakeTime()
    budget = make_budget(simulated, 5)

    async def scenario() -> None:
        with await budget.acquire(5, patience_s=0):
            late = asyncio.create_task(budget.acquire(3, patience_s=0))
            await simulated.sleep(1)
            budget._tally.roll = None  # type: ignore[assignment,method-assign]
            budget._changed.set()
            with pytest.raises(TypeError):
                await late
            del budget._tally.roll
        assert budget.state().waiting == 0

    assert await simulated.run(scenario()) == [None]
