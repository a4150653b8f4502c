"""What a store in memory keeps of one series and of one table of records."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from markethub.domain.span import Span
from markethub.ports.store import Coverage

Row = tuple[Any, ...]
Key = tuple[Any, ...]
Record = dict[str, Any]
"""Values by column, times as Unix milliseconds."""


@dataclass(slots=True)
class StoredSeries:
    """Bars by open time and claims, with the revision that gave each its present form, and what is gone."""

    bars: dict[int, Row] = field(default_factory=dict)
    claims: list[Coverage] = field(default_factory=list)
    revision: int = 0
    written: dict[int | Coverage, int] = field(default_factory=dict)
    cleared: list[tuple[int, Span]] = field(default_factory=list)
    unclaimed: list[tuple[int, Span]] = field(default_factory=list)

    def stamp(self, changed: Iterable[int | Coverage], revision: int) -> None:
        """Note what a revision wrote, and forget the revisions of claims that are no more."""
        self.revision = revision
        self.written.update(dict.fromkeys(changed, revision))
        for key in [key for key in self.written if key not in self.bars and key not in self.claims]:
            del self.written[key]


@dataclass(slots=True)
class StoredRecords:
    """Rows by key and claims by owner, with their revisions, and what is gone of both."""

    rows: dict[Key, Record] = field(default_factory=dict)
    claims: dict[str, list[Coverage]] = field(default_factory=dict)
    written: dict[Key, int] = field(default_factory=dict)
    claimed: dict[tuple[str, Coverage], int] = field(default_factory=dict)
    deleted: list[tuple[int, Key]] = field(default_factory=list)
    unclaimed: list[tuple[int, str]] = field(default_factory=list)
    revision: int = 0

    def claim(self, owner: str, claims: list[Coverage], revision: int) -> None:
        """Let these be all the claims about ``owner``."""
        known = {claim: self.claimed.pop((owner, claim)) for claim in self.claims.get(owner, ())}
        if claims:
            self.claims[owner] = claims
        else:
            self.claims.pop(owner, None)  # an owner without claims is none that is told of
        self.claimed.update({(owner, claim): known.get(claim, revision) for claim in claims})
