"""A cap that holds over any second."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.replication.bandwidth import Bandwidth


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, pause_s: float) -> None:
        assert pause_s >= 0
        self.now_s += pause_s


@settings(max_examples=25, deadline=None)
@given(
    st.floats(10_000, 1e9),
    st.lists(st.tuples(st.floats(0, 0.3), st.floats(0.01, 1)), min_size=50, max_size=120),
)
async def test_over_any_second_it_is_what_was_allowed(
    bytes_per_s: float, moves: list[tuple[float, float]]
) -> None:
    clock = _Clock()
    cap = Bandwidth(bytes_per_s, clock=clock, sleep=clock.sleep)
    moved: list[tuple[float, int]] = []
    for idle_s, part in moves:
        clock.now_s += idle_s if idle_s > 0.25 else 0
        size_bytes = max(int(cap.piece_bytes * part), 1)
        await cap.take(size_bytes)
        moved.append((clock.now_s, size_bytes))
    for begin_s, _ in moved:
        within = sum(size for at_s, size in moved if begin_s <= at_s < begin_s + 1)
        assert within <= bytes_per_s * 1.1


async def test_who_never_pauses_gets_all_of_it() -> None:
    clock = _Clock()
    cap = Bandwidth(100_000, clock=clock, sleep=clock.sleep)
    for _ in range(200):
        await cap.take(cap.piece_bytes)
    assert 200 * cap.piece_bytes / (clock.now_s - 1000) == pytest.approx(100_000, rel=0.01)


async def test_without_a_cap_nobody_waits() -> None:
    clock = _Clock()
    cap = Bandwidth(None, clock=clock, sleep=clock.sleep)
    await cap.take(10**12)
    assert clock.now_s == 1000
    assert cap.piece_bytes == 2**20
