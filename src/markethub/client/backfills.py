"""The calls that queue backfills, of both clients."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from markethub.client.answers import QueuedAnswer
from markethub.client.calls import Call, Mode, Moment, extras, queue_backfill, queue_ledger_backfill

Answer = TypeVar("Answer")


class Backfills(Protocol):
    """Queue backfills; all of them answer as soon as the request is committed.

    ``symbols`` win over ``exchanges``. Times are ISO 8601 text or datetimes; ranges are half-open.
    One that has an ``idempotency_key`` (1 to 255 visible ASCII characters, such as a UUID) is queued once,
    however often it is sent within 48 hours, and always answered as at first; so it is also repeated
    while the hub is away. ConflictError when the key was used for something else.

    ``mode`` is ``missing`` (the usual: what is not stored), ``all`` (also what is, to find what was amended
    since) or ``failed`` (what failed in the newest backfills of the kind); higher ``priority`` (-100 to 100)
    runs first. With ``dry_run`` nothing is queued: the answer's ``plan`` tells what would be done, and what
    it would take.
    """

    def _send(self, call: Call[Answer]) -> Answer: ...

    def backfill_klines(
        self,
        symbols: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        intervals: Sequence[str],
        start_time: Moment,
        end_time: Moment | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """Queue the download of bars with ``start_time <= open_time < end_time`` (now, when not given)."""
        return self._send(
            queue_backfill(
                "klines",
                {"symbols": symbols, "exchanges": exchanges, "intervals": intervals},
                extras(mode, priority, dry_run, idempotency_key),
                start_time=start_time,
                end_time=end_time,
            )
        )

    def backfill_symbols(
        self,
        exchanges: Sequence[str],
        *,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """Queue an update of what these exchanges list."""
        return self._send(
            queue_backfill(
                "symbols", {"exchanges": exchanges}, extras(mode, priority, dry_run, idempotency_key)
            )
        )

    def backfill_balances(
        self,
        accounts: Sequence[str],
        exchanges: Sequence[str] | None = None,
        *,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """Queue a snapshot of what these configured accounts hold."""
        return self._send(
            queue_backfill(
                "balances",
                {"accounts": accounts, "exchanges": exchanges},
                extras(mode, priority, dry_run, idempotency_key),
            )
        )

    def backfill_orders(
        self,
        accounts: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        symbols: Sequence[str] | None = None,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """Queue the download of these accounts' orders, or of all configured ones of ``exchanges``.

        ``symbols`` are root symbols (``BTC_USDT``). Without a start it is as far back as the exchange tells.
        """
        return self._send(
            queue_ledger_backfill(
                "orders",
                accounts,
                exchanges,
                symbols,
                span=(start_time, end_time),
                extras=extras(mode, priority, dry_run, idempotency_key),
            )
        )

    def backfill_fills(
        self,
        accounts: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        symbols: Sequence[str] | None = None,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """Queue the download of these accounts' fills, or of all configured ones of ``exchanges``.

        ``symbols`` are root symbols (``BTC_USDT``). Without a start it is as far back as the exchange tells.
        """
        return self._send(
            queue_ledger_backfill(
                "fills",
                accounts,
                exchanges,
                symbols,
                span=(start_time, end_time),
                extras=extras(mode, priority, dry_run, idempotency_key),
            )
        )

    def backfill_transfers(
        self,
        accounts: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """Queue the download of deposits, withdrawals and internal moves; accounts as for orders."""
        return self._send(
            queue_ledger_backfill(
                "transfers",
                accounts,
                exchanges,
                span=(start_time, end_time),
                extras=extras(mode, priority, dry_run, idempotency_key),
            )
        )

    def backfill_orderbook(
        self,
        symbols: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        limit: int | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """Queue a snapshot of order books with at most ``limit`` (1 to 1000, else 20) levels a side."""
        return self._send(
            queue_backfill(
                "orderbook",
                {"symbols": symbols, "exchanges": exchanges},
                extras(mode, priority, dry_run, idempotency_key),
                limit=limit,
            )
        )

    def backfill_ticker(
        self,
        symbols: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """Queue a snapshot of tickers."""
        return self._send(
            queue_backfill(
                "ticker",
                {"symbols": symbols, "exchanges": exchanges},
                extras(mode, priority, dry_run, idempotency_key),
            )
        )


class AsyncBackfills(Protocol):
    """As Backfills, for asyncio."""

    async def _send(self, call: Call[Answer]) -> Answer: ...

    async def backfill_klines(
        self,
        symbols: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        intervals: Sequence[str],
        start_time: Moment,
        end_time: Moment | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """As DataHub.backfill_klines."""
        return await self._send(
            queue_backfill(
                "klines",
                {"symbols": symbols, "exchanges": exchanges, "intervals": intervals},
                extras(mode, priority, dry_run, idempotency_key),
                start_time=start_time,
                end_time=end_time,
            )
        )

    async def backfill_symbols(
        self,
        exchanges: Sequence[str],
        *,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """As DataHub.backfill_symbols."""
        return await self._send(
            queue_backfill(
                "symbols", {"exchanges": exchanges}, extras(mode, priority, dry_run, idempotency_key)
            )
        )

    async def backfill_balances(
        self,
        accounts: Sequence[str],
        exchanges: Sequence[str] | None = None,
        *,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """As DataHub.backfill_balances."""
        return await self._send(
            queue_backfill(
                "balances",
                {"accounts": accounts, "exchanges": exchanges},
                extras(mode, priority, dry_run, idempotency_key),
            )
        )

    async def backfill_orders(
        self,
        accounts: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        symbols: Sequence[str] | None = None,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """As DataHub.backfill_orders."""
        return await self._send(
            queue_ledger_backfill(
                "orders",
                accounts,
                exchanges,
                symbols,
                span=(start_time, end_time),
                extras=extras(mode, priority, dry_run, idempotency_key),
            )
        )

    async def backfill_fills(
        self,
        accounts: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        symbols: Sequence[str] | None = None,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """As DataHub.backfill_fills."""
        return await self._send(
            queue_ledger_backfill(
                "fills",
                accounts,
                exchanges,
                symbols,
                span=(start_time, end_time),
                extras=extras(mode, priority, dry_run, idempotency_key),
            )
        )

    async def backfill_transfers(
        self,
        accounts: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """As DataHub.backfill_transfers."""
        return await self._send(
            queue_ledger_backfill(
                "transfers",
                accounts,
                exchanges,
                span=(start_time, end_time),
                extras=extras(mode, priority, dry_run, idempotency_key),
            )
        )

    async def backfill_orderbook(
        self,
        symbols: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        limit: int | None = None,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """As DataHub.backfill_orderbook."""
        return await self._send(
            queue_backfill(
                "orderbook",
                {"symbols": symbols, "exchanges": exchanges},
                extras(mode, priority, dry_run, idempotency_key),
                limit=limit,
            )
        )

    async def backfill_ticker(
        self,
        symbols: Sequence[str] | None = None,
        exchanges: Sequence[str] | None = None,
        *,
        mode: Mode | None = None,
        priority: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> QueuedAnswer:
        """As DataHub.backfill_ticker."""
        return await self._send(
            queue_backfill(
                "ticker",
                {"symbols": symbols, "exchanges": exchanges},
                extras(mode, priority, dry_run, idempotency_key),
            )
        )
