"""What every ``DataStore`` must do so that claims arrive at its followers to the digit.

``ReplicationContract`` includes it.
"""

# ruff: noqa: S101 - assert is how pytest speaks

from collections.abc import Callable, Sequence

import pytest

from markethub.domain.selection import EVERYTHING
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import Patch, SeriesPatch
from markethub.ports.store import EVER, Coverage
from markethub.tables.fills import FILLS
from markethub.tables.klines import empty_klines
from markethub.testing.record_rows import ALWAYS
from markethub.testing.replica_moves import (
    OWNER,
    claim,
    claims_patch,
    clear,
    content_of,
    follow,
    follow_set,
)
from markethub.testing.store_contract import BTC, DAY_MS, T0

_HOUR_MS = 3_600_000
_NEXT_DAY_MS = T0 + DAY_MS
_BEFORE = [claim(0, 60)]
_MEANWHILE = {
    "extended, then cut by the next day": [
        claim(60, 120, checked_ms=T0 + _HOUR_MS),
        claim(30, 180, checked_ms=_NEXT_DAY_MS),
    ],
    "extended, then cut in two": [
        claim(60, 120, checked_ms=T0 + _HOUR_MS),
        claim(20, 40, checked_ms=_NEXT_DAY_MS),
    ],
    "cut, then extended": [
        claim(30, 180, checked_ms=_NEXT_DAY_MS),
        claim(-60, 0, checked_ms=T0 + _HOUR_MS),
    ],
    "extended behind a later claim": [
        claim(30, 60, checked_ms=_NEXT_DAY_MS),
        claim(-10, 5, checked_ms=T0 + 2 * _HOUR_MS),
        claim(-20, 5, checked_ms=_NEXT_DAY_MS + _HOUR_MS),
    ],
    "by more than one source": [
        claim(60, 120, checked_ms=T0 + _HOUR_MS),
        claim(0, 60, "files", T0 + _HOUR_MS),
        claim(30, 180, checked_ms=_NEXT_DAY_MS),
        claim(30, 40, "files", _NEXT_DAY_MS),
    ],
}


def _claim_series(store: DataStore, claims: Sequence[Coverage]) -> None:
    for one in claims:
        store.upsert(BTC, empty_klines(), [one]).result()


def _claim_records(store: DataStore, claims: Sequence[Coverage]) -> None:
    for one in claims:
        store.records.upsert_records(FILLS, FILLS.empty(), [OwnerClaims(OWNER, [one])]).result()


class FollowedClaimsContract:
    """The suite; ``open_store`` opens an empty store each time it is called and closes them all."""

    @pytest.fixture
    def open_store(self) -> Callable[[], DataStore]:
        raise NotImplementedError("a subclass overrides the fixture `open_store`")

    @pytest.fixture
    def source(self, open_store: Callable[[], DataStore]) -> DataStore:
        return open_store()

    @pytest.fixture
    def target(self, open_store: Callable[[], DataStore]) -> DataStore:
        return open_store()

    @pytest.mark.parametrize("tell", [_claim_series, _claim_records])
    @pytest.mark.parametrize("meanwhile", _MEANWHILE.values(), ids=_MEANWHILE)
    def test_who_was_away_ends_with_the_same_checked_times(
        self,
        source: DataStore,
        target: DataStore,
        tell: Callable[[DataStore, Sequence[Coverage]], None],
        meanwhile: Sequence[Coverage],
    ) -> None:
        tell(source, _BEFORE)
        seen = follow(source, target)
        tell(source, meanwhile)
        follow(source, target, after=seen)
        assert content_of(target) == content_of(source)

    def test_a_told_claim_stands_in_place_of_its_sources_own(self, target: DataStore) -> None:
        _claim_series(target, [claim(0, 60, checked_ms=_NEXT_DAY_MS), claim(0, 60, "files")])
        clear(target, SeriesPatch(BTC, empty_klines(), [claim(20, 30, checked_ms=T0)]))
        assert target.covered(BTC, ALWAYS) == [
            claim(0, 20, checked_ms=_NEXT_DAY_MS),
            claim(0, 60, "files"),
            claim(20, 30, checked_ms=T0),
            claim(30, 60, checked_ms=_NEXT_DAY_MS),
        ]

    def test_of_told_claims_that_overlap_the_last_counts(self, target: DataStore) -> None:
        told = [claim(0, 60, checked_ms=_NEXT_DAY_MS), claim(20, 30), claim(25, 30, checked_ms=T0 + 1)]
        patch = Patch(
            [SeriesPatch(BTC, empty_klines(), told)], claims_patch(OwnerClaims(OWNER, told)).records
        )
        target.replica.apply_patch(patch).result()
        revision = target.revision()
        expected = [
            claim(0, 20, checked_ms=_NEXT_DAY_MS),
            claim(20, 25),
            claim(25, 30, checked_ms=T0 + 1),
            claim(30, 60, checked_ms=_NEXT_DAY_MS),
        ]
        target.replica.apply_patch(patch).result()
        assert target.revision() == revision
        assert target.covered(BTC, ALWAYS) == expected
        assert target.records.covered_records(FILLS, OWNER, ALWAYS) == expected

    @pytest.mark.parametrize("unclaimed", [(), (EVER,)], ids=["changes", "comparison"])
    def test_a_checked_time_that_differs_is_put_right_and_carried_on(
        self, source: DataStore, target: DataStore, unclaimed: Sequence[object]
    ) -> None:
        wrong, right = claim(0, 60), claim(0, 60, checked_ms=T0 + 5)
        _claim_series(source, [wrong, claim(0, 60, "files")])
        _claim_records(source, [wrong])
        seen = follow(source, target)
        owners = [OWNER] if unclaimed else []
        kept = [claim(0, 60, "files")] if unclaimed else []
        clear(source, SeriesPatch(BTC, empty_klines(), [right, *kept], unclaimed=[EVER] if unclaimed else ()))
        source.replica.apply_patch(claims_patch(OwnerClaims(OWNER, [right]), unclaimed=owners)).result()
        follow(source, target, after=seen)
        for store in (source, target):
            assert store.covered(BTC, ALWAYS) == [claim(0, 60, "files"), right]
            assert store.records.covered_records(FILLS, OWNER, ALWAYS) == [right]

    def test_claims_that_stay_about_an_owner_are_told_again(
        self, source: DataStore, target: DataStore, open_store: Callable[[], DataStore]
    ) -> None:
        third = open_store()
        near, far = claim(0, 10), claim(100, 110)
        other = OwnerClaims("OKX_MM02", [near])
        source.replica.apply_patch(claims_patch(OwnerClaims(OWNER, [near, far]), other)).result()
        seen, seen_there = follow(source, target), follow(target, third)
        checked_again = OwnerClaims(OWNER, [claim(0, 10, checked_ms=_NEXT_DAY_MS), far])
        source.replica.apply_patch(claims_patch(checked_again, unclaimed=[OWNER])).result()
        follow(source, target, after=seen)
        follow(target, third, after=seen_there)
        expected = [checked_again, other]
        assert [store.replica.read_record_claims(FILLS) for store in (source, target, third)] == [
            expected
        ] * 3

    def test_an_owner_without_claims_is_not_told_of(self, source: DataStore, target: DataStore) -> None:
        source.replica.apply_patch(claims_patch(OwnerClaims(OWNER, [claim(0, 10)]))).result()
        seen = follow(source, target)
        source.replica.apply_patch(claims_patch(unclaimed=[OWNER])).result()
        follow(source, target, after=seen)
        assert source.replica.read_record_claims(FILLS) == target.replica.read_record_claims(FILLS) == []

    def test_who_follows_a_replica_on_its_way_arrives(
        self, source: DataStore, target: DataStore, open_store: Callable[[], DataStore]
    ) -> None:
        """The replica's claims are of two moments then, and touch where the source's would be one."""
        third = open_store()
        _claim_series(source, [claim(0, 10, checked_ms=T0 + 7), claim(20, 30)])
        seen, seen_there = follow(source, target), follow(target, third)
        steps = [
            claim(10, 15, "files"),
            claim(30, 40, checked_ms=T0 + 9),
            claim(5, 20, checked_ms=T0 + 8),
            claim(0, 6, checked_ms=_NEXT_DAY_MS),
        ]
        _claim_series(source, steps)
        while seen < source.replica.newest_revision():
            seen = follow_set(source, target, seen, 1, EVERYTHING).upto
            seen_there = follow(target, third, after=seen_there)
            assert content_of(third) == content_of(target)
        assert content_of(target) == content_of(source)
