"""How the subscribed instruments of an exchange are chosen: by their names, or by a rule."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from markethub.domain.errors import InputError
from markethub.domain.symbol import Symbol, parse_root_symbol

MOST_RANKS = 10_000
"""Far above what an exchange lists in one quote currency."""

MOST_NAMES = 10_000
"""Names in one list."""

_FIELDS = ("quote", "top", "by", "keep", "include", "exclude")


class Measure(StrEnum):
    """What a rule ranks by: ``volume`` is that of the last 24 hours, in the quote currency."""

    VOLUME = "volume"


class Source(StrEnum):
    """Who chose the subscriptions of an exchange."""

    CONFIG = "config"
    API = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRule:
    """The ``top`` instruments priced in ``quote``, the largest first.

    One that is in stays in down to rank ``keep``, so that series at the edge are not dropped and begun again
    from day to day; with ``keep`` equal to ``top`` nothing stays. Root symbols of ``include`` are in whatever
    their quote and rank, and take nobody's place; those of ``exclude`` are never in, and have no rank.
    """

    quote: str
    top: int
    keep: int
    by: Measure = Measure.VOLUME
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.top <= MOST_RANKS:
            raise InputError(f"top {_quote(self.top)} is not between 1 and {MOST_RANKS}")
        if not self.top <= self.keep <= MOST_RANKS:
            raise InputError(f"keep {_quote(self.keep)} is not between top ({self.top}) and {MOST_RANKS}")
        if both := sorted(set(self.include) & set(self.exclude)):
            raise InputError(f"symbol {both[0]} is in both include and exclude; name it in one of them")

    @classmethod
    def parse(cls, told: object) -> Self:
        """Read what ``to_json`` writes; ``quote`` and ``top`` suffice, ``keep`` is twice ``top`` then.

        InputError names field, value and what is allowed.
        """
        if not isinstance(told, Mapping):
            raise InputError(f"rule {_quote(told)} is not an object with the fields {', '.join(_FIELDS)}")
        for name in told:
            if name not in _FIELDS:
                raise InputError(f"field {str(name)[:60]!r} is unknown; allowed are {', '.join(_FIELDS)}")
        given = {name: value for name, value in told.items() if value is not None}
        for name in ("quote", "top"):
            if name not in given:
                raise InputError(f"{name} is missing; a rule is such as quote = USDT, top = 50")
        top = _parse_count(given["top"], "top")
        return cls(
            quote=_parse_quote(given["quote"]),
            top=top,
            keep=_parse_count(given.get("keep", min(2 * top, MOST_RANKS)), "keep"),
            by=_parse_measure(given.get("by", Measure.VOLUME)),
            include=parse_names(given.get("include", []), "include"),
            exclude=parse_names(given.get("exclude", []), "exclude"),
        )

    def to_json(self) -> dict[str, Any]:
        """The rule as JSON values, every field there; equal for equal rules."""
        return {
            "quote": self.quote,
            "top": self.top,
            "by": self.by.value,
            "keep": self.keep,
            "include": list(self.include),
            "exclude": list(self.exclude),
        }

    def __str__(self) -> str:
        told = f"{self.quote}, top {self.top} by {self.by}, kept to rank {self.keep}"
        for word, names in (("with", self.include), ("without", self.exclude)):
            if names:
                more = f" and {len(names) - 5} more" if len(names) > 5 else ""
                told += f", {word} {', '.join(names[:5])}{more}"
        return told


Choice = tuple[str, ...] | SubscriptionRule
"""Root symbols, ascending, each once, maybe none; or a rule."""


def parse_choice(told: object) -> Choice:
    """Read a list of root symbols or a rule's object; InputError otherwise."""
    return SubscriptionRule.parse(told) if isinstance(told, Mapping) else parse_names(told, "symbols")


def write_choice(choice: Choice) -> dict[str, Any] | list[str]:
    """The choice as the JSON value that ``parse_choice`` reads; equal for equal choices."""
    return choice.to_json() if isinstance(choice, SubscriptionRule) else list(choice)


def parse_names(told: object, name: str) -> tuple[str, ...]:
    """Read a list of root symbols, ascending, each once; InputError names the field and what is wrong."""
    if not isinstance(told, list | tuple):
        raise InputError(f"{name} {_quote(told)} is not a list of root symbols such as BTC_USDT")
    if len(told) > MOST_NAMES:
        raise InputError(f"{name} has {len(told)} symbols; at most {MOST_NAMES} are allowed")
    for text in told:
        if not isinstance(text, str):
            raise InputError(f"{name} holds {_quote(text)}, which is not a root symbol such as BTC_USDT")
        parse_root_symbol(text)
    return tuple(sorted(set(told)))


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instrument that an exchange lists: its ``status`` as in LISTING, and its quote volume of 24 hours,
    None where the exchange does not tell."""

    symbol: Symbol
    status: str
    quote_volume: float | None = None


def may_rank(rule: SubscriptionRule, candidate: Candidate) -> bool:
    """Whether its volume decides about ``candidate``: it trades, in the rule's quote, and is not named."""
    root = candidate.symbol.instrument
    named = root in rule.include or root in rule.exclude
    return candidate.status == "trading" and candidate.symbol.quote == rule.quote and not named


def choose(rule: SubscriptionRule, listed: Iterable[Candidate], before: Collection[Symbol]) -> list[Symbol]:
    """The instruments of ``rule`` among all that its exchange lists, ascending.

    Only what trades has a rank: the larger volume first, unknown volumes last, equal ones by name. A halted
    instrument is out, since exchanges show what they have delisted as halted for years. ``before`` is what
    the rule chose last time. A name of ``include`` that the exchange does not list is left out.
    """
    found = list(listed)
    ranked = sorted(
        (one for one in found if may_rank(rule, one)),
        key=lambda one: (-(one.quote_volume or 0.0), one.symbol),
    )
    known = set(before)
    chosen = {one.symbol for one in ranked[: rule.top]}
    chosen.update(one.symbol for one in ranked[rule.top : rule.keep] if one.symbol in known)
    chosen.update(one.symbol for one in found if one.symbol.instrument in rule.include)
    return sorted(chosen)


def _parse_count(told: object, name: str) -> int:
    if isinstance(told, float) and told.is_integer():
        return int(told)  # JSON has one kind of number: 50.0 is as whole as 50
    if isinstance(told, bool) or not isinstance(told, int):
        raise InputError(f"{name} {_quote(told)} is not a whole number")
    return told


def _parse_quote(told: object) -> str:
    if not isinstance(told, str):
        raise InputError(f"quote {_quote(told)} is not a currency such as USDT")
    try:
        parse_root_symbol(f"X_{told}")
    except InputError:
        raise InputError(f"quote {told[:60]!r} is not a currency such as USDT") from None
    return told


def _parse_measure(told: object) -> Measure:
    try:
        return Measure(told)  # type: ignore[arg-type]  # it refuses what is no text, too
    except ValueError:
        raise InputError(f"by {_quote(told)} is not one of {', '.join(Measure)}") from None


def _quote(value: object) -> str:
    return repr(value)[:60]
