"""The calls about subscribed symbols, of both clients."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from markethub.client import calls
from markethub.client.answers import SubscriptionPage, SubscriptionUpdateAnswer
from markethub.client.calls import Call

Answer = TypeVar("Answer")


class Subscriptions(Protocol):
    """Look at the subscribed symbols, which work without symbols of its own is about, and change them."""

    def _send(self, call: Call[Answer]) -> Answer: ...

    def list_subscriptions(
        self,
        exchange: str | None = None,
        search: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: str | None = None,
        order_desc: bool | None = None,
    ) -> SubscriptionPage:
        """Return a page of the subscribed symbols by name, and how each exchange's were chosen.

        ``search`` is part of a symbol's name.
        """
        return self._send(
            calls.list_subscriptions(
                exchange=exchange,
                search=search,
                limit=limit,
                offset=offset,
                order_by=order_by,
                order_desc=order_desc,
            )
        )

    def set_subscriptions(
        self, exchange: str, *, symbols: Sequence[str] | None = None, rule: Mapping[str, Any] | None = None
    ) -> SubscriptionUpdateAnswer:
        """Replace what is subscribed on one exchange: by ``symbols``, or by a ``rule``; give one of them.

        ``symbols`` are such as BTC_USDT or BTC_USDT.BNC; an empty list subscribes to none. A rule such as
        ``{"quote": "USDT", "top": 50}`` chooses the largest now and anew every day; it may have ``keep``,
        ``include`` and ``exclude`` too. UnavailableError, and nothing changed, when the exchange that has to
        be asked for it does not answer.
        """
        return self._send(calls.set_subscriptions(exchange, symbols=symbols, rule=rule))


class AsyncSubscriptions(Protocol):
    """As Subscriptions, for asyncio."""

    async def _send(self, call: Call[Answer]) -> Answer: ...

    async def list_subscriptions(
        self,
        exchange: str | None = None,
        search: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: str | None = None,
        order_desc: bool | None = None,
    ) -> SubscriptionPage:
        """As DataHub.list_subscriptions."""
        return await self._send(
            calls.list_subscriptions(
                exchange=exchange,
                search=search,
                limit=limit,
                offset=offset,
                order_by=order_by,
                order_desc=order_desc,
            )
        )

    async def set_subscriptions(
        self, exchange: str, *, symbols: Sequence[str] | None = None, rule: Mapping[str, Any] | None = None
    ) -> SubscriptionUpdateAnswer:
        """As DataHub.set_subscriptions."""
        return await self._send(calls.set_subscriptions(exchange, symbols=symbols, rule=rule))
