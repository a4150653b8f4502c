from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.span import Span, merge
from markethub.ports.store import Coverage
from markethub.stores.claims import add_claim, claims_are_touching, cut_claims, take_claims

DAY_MS = 86_400_000

spans = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))
claims = st.builds(
    Coverage,
    spans,
    st.sampled_from(["rest", "archive:a"]),
    st.integers(0, 4).map(lambda half_day: half_day * DAY_MS // 2),
)


def told(told_claims: list[Coverage]) -> list[Coverage]:
    kept: list[Coverage] = []
    for claim in told_claims:
        kept = add_claim(kept, claim)
    return kept


@given(st.lists(claims, max_size=12))
def test_every_instant_keeps_its_sources_and_their_latest_day(given_claims: list[Coverage]) -> None:
    kept = told(given_claims)
    for source in ("rest", "archive:a"):
        for instant in range(41):
            days = {
                claim.checked_ms // DAY_MS
                for claim in given_claims
                if claim.source == source and instant in claim.span
            }
            found = [claim for claim in kept if claim.source == source and instant in claim.span]
            assert [claim.checked_ms // DAY_MS for claim in found] == ([max(days)] if days else [])


@given(st.lists(claims, max_size=12))
def test_no_two_kept_claims_could_be_one(given_claims: list[Coverage]) -> None:
    kept = told(given_claims)
    for place, claim in enumerate(kept):
        for other in kept[place + 1 :]:
            is_same_day = claim.checked_ms // DAY_MS == other.checked_ms // DAY_MS
            assert not (claims_are_touching(claim, other) and is_same_day)


@given(st.lists(claims, max_size=12), claims)
def test_only_touching_claims_matter(given_claims: list[Coverage], claim: Coverage) -> None:
    kept = told(given_claims)
    near = [old for old in kept if claims_are_touching(old, claim)]
    far = [old for old in kept if not claims_are_touching(old, claim)]
    assert set(add_claim(kept, claim)) == set(far) | set(add_claim(near, claim))


@given(st.lists(claims, max_size=12))
def test_told_again_nothing_changes(given_claims: list[Coverage]) -> None:
    kept = told(given_claims)
    for claim in kept:
        assert add_claim(kept, claim) == kept


@given(st.lists(claims, max_size=6), st.lists(claims, min_size=1, max_size=6))
def test_who_takes_what_changed_has_what_the_teller_has(
    before: list[Coverage], meanwhile: list[Coverage]
) -> None:
    known = told(before)
    kept = told([*before, *meanwhile])
    new = [claim for claim in kept if claim not in known]
    assert take_claims(known, new) == (kept, [claim.span for claim in new])
    assert take_claims(kept, new) == (kept, [])


@given(st.lists(claims, max_size=6), st.lists(claims, max_size=6))
def test_of_taken_claims_none_overlaps_another_of_its_source(
    before: list[Coverage], taken: list[Coverage]
) -> None:
    kept, _ = take_claims(told(before), taken)
    for source in ("rest", "archive:a"):
        for instant in range(41):
            last = [claim for claim in taken if claim.source == source and instant in claim.span][-1:]
            stored = [claim for claim in told(before) if claim.source == source and instant in claim.span]
            found = [claim for claim in kept if claim.source == source and instant in claim.span]
            assert [one.checked_ms for one in found] == [one.checked_ms for one in last or stored]
    assert take_claims(kept, taken) == (kept, [])


@given(st.lists(claims, max_size=6), st.lists(claims, max_size=6), claims)
def test_only_touching_claims_matter_also_among_taken_ones(
    before: list[Coverage], taken: list[Coverage], claim: Coverage
) -> None:
    kept, _ = take_claims(told(before), taken)
    near = [old for old in kept if claims_are_touching(old, claim)]
    far = [old for old in kept if not claims_are_touching(old, claim)]
    assert set(add_claim(kept, claim)) == set(far) | set(add_claim(near, claim))


@given(st.lists(claims, max_size=12), spans)
def test_a_cut_keeps_what_lies_inside(given_claims: list[Coverage], span: Span) -> None:
    cut = cut_claims(given_claims, span)
    inside = [part for claim in given_claims if (part := claim.span.intersect(span))]
    assert merge(claim.span for claim in cut) == merge(inside)
    assert cut == sorted(cut, key=lambda claim: claim.span)


@given(spans, st.permutations([5, 9]), st.sampled_from(["rest", "archive:b"]))
def test_the_latest_check_of_a_day_counts_in_whatever_order_it_comes(
    span: Span, checked_ms: list[int], other: str
) -> None:
    first = Coverage(span, "rest", checked_ms[0])
    second = Coverage(Span(span.end_ms, span.end_ms + 3), "rest", checked_ms[1])
    whole = Coverage(Span(span.start_ms, span.end_ms + 3), "rest", 9)
    assert add_claim([first], second) == [whole]
    beside = Coverage(span, other, 1)
    assert whole in add_claim(add_claim([first], beside), second)
