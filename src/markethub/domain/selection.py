"""Which part of a store's data somebody wants."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account, Series, Symbol


@dataclass(frozen=True, slots=True)
class Selection:
    """Data that meets all four conditions; an empty one lets everything pass.

    ``venues`` are exchanges and stock markets (``OKX``, ``US``). ``symbols`` concern what is about one
    instrument; rows of an account's ledger name theirs, balances and transfers have none and pass.
    ``intervals`` concern bars only.
    """

    venues: frozenset[str] = field(default_factory=frozenset)
    symbols: frozenset[Symbol] = field(default_factory=frozenset)
    intervals: frozenset[Interval] = field(default_factory=frozenset)
    kinds: frozenset[DataKind] = field(default_factory=frozenset)

    @classmethod
    def parse(cls, texts: Mapping[str, Iterable[str]]) -> Self:
        """Read lists of names by field; InputError names what is not one."""
        unknown = sorted(set(texts) - set(cls.__dataclass_fields__))
        if unknown:
            raise InputError(f"{unknown[0]!r} is not one of {', '.join(cls.__dataclass_fields__)}")
        return cls(
            venues=frozenset(_check_venue(text) for text in texts.get("venues", ())),
            symbols=frozenset(Symbol.parse(text) for text in texts.get("symbols", ())),
            intervals=frozenset(Interval.parse(text) for text in texts.get("intervals", ())),
            kinds=frozenset(_parse_kind(text) for text in texts.get("kinds", ())),
        )

    def to_texts(self) -> dict[str, list[str]]:
        """What ``parse`` reads, sorted, without empty fields: equal for equal selections."""
        texts: dict[str, Iterable[Any]] = {
            "venues": self.venues,
            "symbols": self.symbols,
            "intervals": self.intervals,
            "kinds": self.kinds,
        }
        return {name: sorted(map(str, values)) for name, values in texts.items() if values}

    def takes_series(self, series: Series) -> bool:
        """Whether bars of ``series`` are wanted."""
        return (
            self.takes_kind(DataKind.KLINE)
            and (not self.intervals or series.interval in self.intervals)
            and self.takes_symbol(series.symbol)
        )

    def takes_kind(self, kind: DataKind) -> bool:
        return not self.kinds or kind in self.kinds

    def takes_symbol(self, symbol: Symbol) -> bool:
        """Whether what is about ``symbol`` is wanted, whatever its kind."""
        return self.takes_venue(symbol.venue) and (not self.symbols or symbol in self.symbols)

    def takes_venue(self, venue: str) -> bool:
        return not self.venues or venue in self.venues

    def takes_account(self, account: Account) -> bool:
        """Whether what is about ``account`` as a whole is wanted, whatever its kind."""
        return self.takes_venue(account.venue)


EVERYTHING = Selection()


def _check_venue(text: str) -> str:
    if not (2 <= len(text) <= 3 and text.isascii() and text.isalpha() and text.isupper()):
        raise InputError(f"venue {text[:20]!r} is not a code such as OKX or US")
    return text


def _parse_kind(text: str) -> DataKind:
    try:
        return DataKind(text)
    except ValueError as error:
        raise InputError(f"kind {text[:20]!r} is not one of {', '.join(DataKind)}") from error
