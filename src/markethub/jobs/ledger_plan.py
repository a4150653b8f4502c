"""Cut a backfill of orders, fills or transfers into chunks; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Self

from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.calendar import utc_months
from markethub.domain.span import Span, span_or_none, subtract
from markethub.domain.symbol import Account, Symbol
from markethub.domain.times import format_time, from_ms, parse_time
from markethub.engine.handler import NewChunk, Parameters
from markethub.jobs.choice import WHAT_IS_MISSING, Choice


class LedgerUnit(StrEnum):
    """How long the chunks of a ledger are; the value spells a unit's name."""

    MONTH = "%Y-%m"
    YEAR = "%Y"


@dataclass(frozen=True, slots=True)
class LedgerOwner:
    """What one claim of coverage is about: an account, or one instrument (``BTC_USDT``) of it.

    Written ``OKX_MM01`` or ``OKX_MM01 BTC_USDT``.
    """

    account: Account
    root: str | None = None

    @property
    def symbol(self) -> Symbol | None:
        return None if self.root is None else Symbol(self.account.venue, self.root)

    def __str__(self) -> str:
        return f"{self.account}" if self.root is None else f"{self.account} {self.root}"


@dataclass(frozen=True, slots=True)
class LedgerBackfill:
    """What one ledger backfill was asked for.

    Without ``roots`` it is every instrument; without ``start_ms`` it is as far back as the venue tells.
    """

    accounts: tuple[Account, ...]
    roots: tuple[str, ...]
    start_ms: int | None
    end_ms: int
    choice: Choice = WHAT_IS_MISSING

    def to_parameters(self) -> dict[str, object]:
        """The JSON form that the execution row keeps and the API shows."""
        return {
            "exchanges": list(dict.fromkeys(account.venue for account in self.accounts)),
            "accounts": [str(account) for account in self.accounts],
            "symbols": list(self.roots),
            "start_time": None if self.start_ms is None else format_time(self.start_ms),
            "end_time": format_time(self.end_ms),
            **self.choice.to_parameters(),
        }

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Read what ``to_parameters`` wrote."""
        start = parameters["start_time"]
        return cls(
            accounts=tuple(Account.parse(text) for text in parameters["accounts"]),
            roots=tuple(parameters["symbols"]),
            start_ms=None if start is None else parse_time(start),
            end_ms=parse_time(parameters["end_time"]),
            choice=Choice.from_parameters(parameters),
        )

    def owners(self, account: Account) -> list[LedgerOwner]:
        """The owners of the account of which there is something to ask for."""
        owners = [LedgerOwner(account, root) for root in self.roots] or [LedgerOwner(account)]
        if self.choice.mode is not BackfillMode.FAILED:
            return owners
        return [owner for owner in owners if str(owner) in self.choice.failed]


@dataclass(frozen=True, slots=True)
class LedgerChunk:
    """One account, or one instrument of it, over a span; ``again``: also what is claimed is asked for."""

    owner: LedgerOwner
    span: Span
    again: bool = False

    def to_parameters(self) -> dict[str, object]:
        named: dict[str, object] = {
            "account": str(self.owner.account),
            "symbol": self.owner.root,
            "start_ms": self.span.start_ms,
            "end_ms": self.span.end_ms,
        }
        return {**named, "again": True} if self.again else named

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        owner = LedgerOwner(Account.parse(parameters["account"]), parameters["symbol"])
        span = Span(int(parameters["start_ms"]), int(parameters["end_ms"]))
        return cls(owner, span, parameters.get("again", False))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a request is still to be asked, and what cannot be had any more; both ascending."""

    missing: list[Span]
    lost: list[Span]


def find_wanted(start_ms: int | None, end_ms: int, reach_ms: int, covered: Sequence[Span]) -> Wanted:
    """Sort what ``covered`` lacks of ``[start, end)`` by whether the venue still tells it.

    Without a start it begins at ``reach_ms``, the first time the venue tells.
    """
    asked = span_or_none(reach_ms if start_ms is None else start_ms, end_ms)
    lacking = subtract(asked, covered) if asked else []
    parts = [(span_or_none(one.start_ms, min(one.end_ms, reach_ms)), one) for one in lacking]
    return Wanted(
        missing=[rest for _, one in parts if (rest := span_or_none(max(one.start_ms, reach_ms), one.end_ms))],
        lost=[before for before, _ in parts if before],
    )


def plan_ledger_chunks(
    missing: Mapping[LedgerOwner, Sequence[Span]],
    unit: LedgerUnit = LedgerUnit.MONTH,
    *,
    again: bool = False,
) -> list[NewChunk]:
    """One chunk per owner and calendar unit that lacks something, the newest first."""
    named: list[tuple[str, str, LedgerChunk]] = []
    for owner, spans in missing.items():
        for name, extent in _calendar_units(spans, unit):
            inside = [part for span in spans if (part := span.intersect(extent))]
            if inside:
                hull = Span(inside[0].start_ms, inside[-1].end_ms)
                named.append((name, f"{owner} {name}", LedgerChunk(owner, hull, again)))
    # The newest is what somebody waits for; a stable sort keeps the owners in the order of the request.
    named.sort(key=lambda item: item[0], reverse=True)
    return [
        NewChunk(
            key=key,
            queue=chunk.owner.account.venue,
            parameters=chunk.to_parameters(),
            priority=-index,
        )
        for index, (_, key, chunk) in enumerate(named)
    ]


def _calendar_units(spans: Sequence[Span], unit: LedgerUnit) -> Iterator[tuple[str, Span]]:
    if not spans:
        return
    months = utc_months(Span(spans[0].start_ms, spans[-1].end_ms))
    for name, group in groupby(months, key=lambda month: from_ms(month.start_ms).strftime(unit)):
        extents = list(group)
        yield name, Span(extents[0].start_ms, extents[-1].end_ms)
