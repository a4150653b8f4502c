"""An exchange that a rule can choose from."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from markethub.domain.symbol import Symbol
from markethub.ports.budget import Asker, current_asker
from markethub.tables.symbols import LISTING
from markethub.tables.tickers import TICKERS
from tests.jobs.fake_venues import NOW_MS, listing, rows_of


@dataclass
class RankedMarket:
    """Lists instruments with their volumes; those of ``halted`` do not trade.

    ``calls`` counts the listings asked for, which answer once ``gate`` is open, if there is one.
    """

    volumes: Mapping[str, float | None]
    halted: frozenset[str] = frozenset()
    error: Exception | None = None
    asked: list[Asker] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    gate: asyncio.Event | None = None

    async def listing(self) -> pa.Table:
        self.asked.append(current_asker.get())
        self.questions.append("listing")
        self.calls.release()
        if self.error is not None:
            raise self.error
        if self.gate is not None:
            await self.gate.wait()
        shown = listing(dict.fromkeys(self.volumes, "0.1")).to_pylist()
        rows = [
            row | {"status": "halted" if row["symbol"].partition(".")[0] in self.halted else "trading"}
            for row in shown
        ]
        return pa.Table.from_pylist(rows, schema=LISTING)

    async def tickers(self, symbols: Sequence[Symbol]) -> pa.Table:
        self.questions.append("tickers")
        assert all(symbol.instrument not in self.halted for symbol in symbols)
        rows = [
            {"symbol": str(symbol), "time": NOW_MS, "quote_volume_24h": self.volumes[symbol.instrument]}
            for symbol in symbols
        ]
        return rows_of(TICKERS, rows)
