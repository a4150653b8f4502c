"""The buckets against a plain model: a number of tokens that grows with time."""

from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.api.rate_limits import RequestBuckets


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Model:
    """What each bucket holds, by exact arithmetic."""

    per_minute: int
    burst: int
    held: dict[str, tuple[Fraction, Fraction]] = field(default_factory=dict)

    def take(self, key: str, now_s: Fraction) -> Fraction:
        content, then_s = self.held.get(key, (Fraction(self.burst), now_s))
        content = min(Fraction(self.burst), content + (now_s - then_s) * self.per_minute / 60)
        granted = content >= 1
        self.held[key] = (content - 1 if granted else content, now_s)
        return Fraction(0) if granted else (1 - content) * 60 / self.per_minute


# Sixteenths of a second and 60, 240, 960 a minute: floats hold them exactly, so no edge is a matter of luck.
steps = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 64)), max_size=120)


@given(steps, st.sampled_from([60, 240, 960]), st.integers(1, 20))
def test_a_bucket_grants_what_the_model_grants(
    asked: list[tuple[str, int]], per_minute: int, burst: int
) -> None:
    clock, model = Clock(), Model(per_minute, burst)
    buckets = RequestBuckets(clock=clock)
    for key, sixteenths in asked:
        clock.now_s += sixteenths / 16
        wait_s = buckets.take(key, per_minute=per_minute, burst=burst)
        assert wait_s == pytest.approx(float(model.take(key, Fraction(clock.now_s))), abs=1e-6)


@given(st.integers(1, 10_000), st.integers(1, 50))
def test_who_waits_as_long_as_told_is_let_in(per_minute: int, burst: int) -> None:
    clock = Clock(1e6)
    buckets = RequestBuckets(clock=clock)
    for _ in range(burst):
        assert buckets.take("a", per_minute=per_minute, burst=burst) == 0
    for _ in range(5):
        wait_s = buckets.take("a", per_minute=per_minute, burst=burst)
        assert 0 < wait_s <= 60 / per_minute + 1e-6
        # Asking in vain puts nothing off.
        assert buckets.take("a", per_minute=per_minute, burst=burst) == wait_s
        clock.now_s += wait_s
        assert buckets.take("a", per_minute=per_minute, burst=burst) == 0


def test_keys_do_not_share() -> None:
    buckets = RequestBuckets(clock=Clock())
    assert buckets.take("a", per_minute=60, burst=1) == 0
    assert buckets.take("a", per_minute=60, burst=1) == 1
    assert buckets.take("b", per_minute=60, burst=1) == 0


def test_a_flood_of_keys_takes_no_more_room() -> None:
    clock = Clock()
    buckets = RequestBuckets(most_keys=100, clock=clock)
    for number in range(10_000):
        clock.now_s += 0.001
        assert buckets.take(number, per_minute=60, burst=1) == 0
        assert len(buckets) <= 100
    # The ones that came last are the ones that are remembered.
    assert buckets.take(9_999, per_minute=60, burst=1) > 0


def test_full_buckets_make_room_before_others_are_forgotten() -> None:
    clock = Clock()
    buckets = RequestBuckets(most_keys=100, clock=clock)
    for number in range(50):
        buckets.take(number, per_minute=60, burst=2)
    clock.now_s = 1.0  # those are full again
    for number in range(50, 101):
        buckets.take(number, per_minute=60, burst=2)
    assert len(buckets) == 51
    for number in range(50, 101):
        buckets.take(number, per_minute=60, burst=2)
        assert buckets.take(number, per_minute=60, burst=2) > 0
