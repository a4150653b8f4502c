"""How claims of coverage are kept: few rows, no claim lost, the latest check wins.

The rule, per series and source:

* Claims never overlap. Where two would, the one checked on the later UTC day keeps the instants, the other
  is cut.
* Claims that touch or overlap and were checked on the same UTC day become one, with the latest of their
  checked times. So a feed that claims every minute leaves one row a day.
* A claim that adds nothing (the same source has claimed all of it on that UTC day or later) is not written.

Claims of different sources never mix: each keeps who vouches for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from markethub.domain.span import Span, merge, subtract
from markethub.ports.store import Coverage

_DAY_MS = 86_400_000


def claims_are_touching(one: Coverage, other: Coverage) -> bool:
    """Whether one may change the other: equal source, and no instant between the two."""
    return (
        one.source == other.source
        and one.span.start_ms <= other.span.end_ms
        and other.span.start_ms <= one.span.end_ms
    )


def add_claim(stored: Sequence[Coverage], claim: Coverage) -> list[Coverage]:
    """The claims to keep after ``claim`` was told, ascending by source and span.

    ``stored`` are claims of one series that this function returned before; those that do not touch the new
    one come back unchanged, so they may as well be left out.
    """
    day = _checked_day(claim)
    told = [old.span for old in stored if old.source == claim.source and _checked_day(old) >= day]
    if not subtract(claim.span, told):
        return in_order(stored)
    if len(stored) == len(told) == 1 and claims_are_touching(stored[0], claim):
        old = stored[0]
        if _checked_day(old) == day:  # a feed going on, the usual case by far: the rule below, in short
            hull = Span(min(old.span.start_ms, claim.span.start_ms), max(old.span.end_ms, claim.span.end_ms))
            return [Coverage(hull, claim.source, max(old.checked_ms, claim.checked_ms))]
    return in_order(_settle([*stored, claim]))


def cut_claims(claims: Iterable[Coverage], span: Span) -> list[Coverage]:
    """The parts of the claims inside ``span``, ascending by span, then source."""
    inside = [
        Coverage(part, claim.source, claim.checked_ms)
        for claim in claims
        if (part := claim.span.intersect(span)) is not None
    ]
    return sorted(inside, key=lambda claim: (claim.span, claim.source, claim.checked_ms))


def _settle(claims: Iterable[Coverage]) -> list[Coverage]:
    settled: list[Coverage] = []
    by_source: defaultdict[str, defaultdict[int, list[Coverage]]] = defaultdict(lambda: defaultdict(list))
    for claim in claims:
        by_source[claim.source][_checked_day(claim)].append(claim)
    for source, by_day in by_source.items():
        taken: list[Span] = []
        for day in sorted(by_day, reverse=True):
            for span in merge(claim.span for claim in by_day[day]):
                checked_ms = max(
                    claim.checked_ms for claim in by_day[day] if claim.span.intersect(span) is not None
                )
                settled += [Coverage(part, source, checked_ms) for part in subtract(span, taken)]
            taken += [claim.span for claim in by_day[day]]
    return settled


def in_order(claims: Iterable[Coverage]) -> list[Coverage]:
    """The claims ascending by source and span."""
    return sorted(claims, key=lambda claim: (claim.source, claim.span))


def _checked_day(claim: Coverage) -> int:
    return claim.checked_ms // _DAY_MS
