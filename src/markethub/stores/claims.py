"""How claims of coverage are kept: few rows, no claim lost, the latest check wins.

The rule, per series and source:

* Claims never overlap. Where two would, the one checked on the later UTC day keeps the instants, the other
  is cut.
* Claims that touch or overlap and were checked on the same UTC day become one, with the latest of their
  checked times. So a feed that claims every minute leaves one row a day.
* A claim that adds nothing (the same source has claimed all of it on that UTC day or later) is not written.

Claims of different sources never mix: each keeps who vouches for it.

That is for checks of this store's own, told in their order (``add_claims``). A patch tells what another store
made of its checks, and leaves out what they went through: its claims are kept as they are (``take_claims``).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from markethub.domain.span import Span, merge, subtract
from markethub.ports.store import Coverage

_DAY_MS = 86_400_000


class KeptClaims(NamedTuple):
    """What is kept, ascending by source and span, and the spans of the told claims that were news."""

    claims: list[Coverage]
    news: list[Span]


ClaimRule = Callable[[Sequence[Coverage], Sequence[Coverage]], KeptClaims]
"""From the stored claims and those that were told to what is kept."""


def claims_are_touching(one: Coverage, other: Coverage) -> bool:
    """Whether one may change the other: equal source, and no instant between the two."""
    return (
        one.source == other.source
        and one.span.start_ms <= other.span.end_ms
        and other.span.start_ms <= one.span.end_ms
    )


def add_claim(stored: Sequence[Coverage], claim: Coverage) -> list[Coverage]:
    """The claims to keep after ``claim`` was told, ascending by source and span.

    Stored claims that do not touch the new one come back unchanged, so they may as well be left out.
    """
    day = _checked_day(claim)
    near = [old for old in stored if claims_are_touching(old, claim)]
    told = [old.span for old in near if _checked_day(old) >= day]
    if not subtract(claim.span, told):
        return in_order(stored)
    if len(near) == len(told) == 1 and _checked_day(near[0]) == day:
        (old,) = near  # a feed going on, the usual case by far: the rule below, in short
        hull = Span(min(old.span.start_ms, claim.span.start_ms), max(old.span.end_ms, claim.span.end_ms))
        kept = [Coverage(hull, claim.source, max(old.checked_ms, claim.checked_ms))]
    else:
        kept = _settle([*near, claim])
    if len(near) == len(stored):
        return in_order(kept)
    # What was taken from another store may touch of itself, and stays so: a store that looks up what touches
    # the new claim does not see it.
    return in_order([*(old for old in stored if not claims_are_touching(old, claim)), *kept])


def add_claims(stored: Sequence[Coverage], told: Iterable[Coverage]) -> KeptClaims:
    """Take in checks of this store's own, one after the other."""
    kept, news = list(stored), []
    for claim in told:
        after = add_claim(kept, claim)
        if after != kept:
            kept = after
            news.append(claim.span)
    return KeptClaims(kept, news)


def take_claims(stored: Sequence[Coverage], told: Sequence[Coverage]) -> KeptClaims:
    """Take in what another store keeps: to the digit, in place of what the source claimed there before.

    A rule that let a stored check outlive the told one would leave the two stores different: the other may
    have had checks between these two that were never told here. Of told claims that overlap the last counts.
    Stored ones that do not overlap a told one come back unchanged, so they may as well be left out.
    """
    final = [claim for claims in _by_source(told).values() for claim in _let_last_count(claims)]
    known = set(stored)
    new = [claim for claim in final if claim not in known]
    if not new:
        return KeptClaims(in_order(stored), [])
    taken = {source: [claim.span for claim in claims] for source, claims in _by_source(new).items()}
    rest = [part for claim in stored for part in drop_claims([claim], taken.get(claim.source, ()))]
    return KeptClaims(in_order([*rest, *new]), [claim.span for claim in new])


def drop_claims(claims: Iterable[Coverage], spans: Sequence[Span]) -> list[Coverage]:
    """The parts of the claims outside ``spans``."""
    return [
        Coverage(part, claim.source, claim.checked_ms)
        for claim in claims
        for part in subtract(claim.span, spans)
    ]


def cut_claims(claims: Iterable[Coverage], span: Span) -> list[Coverage]:
    """The parts of the claims inside ``span``, ascending by span, then source."""
    inside = [
        Coverage(part, claim.source, claim.checked_ms)
        for claim in claims
        if (part := claim.span.intersect(span)) is not None
    ]
    return sorted(inside, key=lambda claim: (claim.span, claim.source, claim.checked_ms))


def _by_source(claims: Iterable[Coverage]) -> dict[str, list[Coverage]]:
    found: defaultdict[str, list[Coverage]] = defaultdict(list)
    for claim in claims:
        found[claim.source].append(claim)
    return found


def _let_last_count(claims: Sequence[Coverage]) -> list[Coverage]:
    """The same instants of one source without overlaps."""
    ascending = sorted(claim.span for claim in claims)
    if all(one.end_ms <= other.start_ms for one, other in pairwise(ascending)):
        return list(claims)  # always so in what a store tells
    parts: list[Coverage] = []
    for place, claim in enumerate(claims):
        parts += drop_claims([claim], [later.span for later in claims[place + 1 :]])
    return parts


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
