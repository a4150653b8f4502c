"""Patches between writes leave a file and the store in memory alike."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.span import Span
from markethub.ports.replication import Patch, SeriesPatch
from markethub.ports.store import Coverage
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.store_contract import BTC, DAY_MS, T0, bars_at, minute_span, minutes, observe
from tests.drawn_cases import drawn
from tests.stores.file_stores import opening_files

_spans = st.tuples(st.integers(0, 40), st.integers(1, 20)).map(lambda pair: minute_span(pair[0], sum(pair)))
_claims = st.builds(
    Coverage,
    _spans,
    st.sampled_from(["rest", "archive:x"]),
    st.integers(0, 8).map(lambda place: T0 + place * DAY_MS // 3),
)
_steps = st.tuples(
    st.booleans(),
    st.sets(st.sampled_from(minutes(0, 60)), max_size=5),
    st.lists(_claims, max_size=3),
    st.lists(_spans, max_size=1),
    st.lists(_spans, max_size=1),
)
_Step = tuple[bool, set[int], list[Coverage], list[Span], list[Span]]


def test_a_file_and_memory_do_the_same(tmp_path: Path) -> None:
    with opening_files(tmp_path) as open_file:

        @settings(max_examples=drawn(8), deadline=None)
        @given(st.lists(_steps, min_size=1, max_size=14))
        def check(steps: list[_Step]) -> None:
            stores = [open_file(), MemorySeriesStore()]
            for is_patch, at, claims, cleared, unclaimed in steps:
                bars = bars_at(sorted(at), float(1 + is_patch))
                patch = Patch([SeriesPatch(BTC, bars, claims, cleared, unclaimed)])
                done = [
                    (
                        store.replica.apply_patch(patch) if is_patch else store.upsert(BTC, bars, claims)
                    ).result()
                    for store in stores
                ]
                assert done[0] == done[1]
                found, expected = map(observe, stores)
                for what in ("bars", "coverage", "summaries", "revision"):
                    assert found[what] == expected[what]

        check()
