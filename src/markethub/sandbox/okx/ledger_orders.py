"""Made-up orders and fills of the sandbox's accounts: any moment of any account, always the same.

Time is cut into slots, as many in 120 days as an account places orders, and each slot holds one order. Like
the real ones, order ids are only roughly in the order of creation, bill ids are exactly in the order of
booking, an order may wait for days, and a large one fills in many pieces within one millisecond.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Final

from markethub.sandbox.accounts import SandboxAccount
from markethub.sandbox.bars import E8
from markethub.sandbox.intervals import DAY_MS
from markethub.sandbox.okx.ledger_slots import SlotClock
from markethub.sandbox.okx.names import Pair

_LONGEST_LIFE_MS: Final = 20 * DAY_MS
_SWEEP_EVERY: Final = 151
_SWEEP_FILLS: Final = 130
_TAKER, _MAKER = Decimal("-0.001"), Decimal("-0.0008")
_REBATE: Final = Decimal("0.00005")
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of an order; the fee is in ``fee_asset``, below zero when it was paid."""

    bill_id: int
    trade_id: int
    order: "Order" = field(repr=False)
    is_taker: bool
    price: Decimal
    size: Decimal
    fee: Decimal
    time_ms: int
    booked_ms: int


@dataclass(frozen=True, slots=True)
class Order:
    """One order, with everything that will have happened to it by ``ended_ms``.

    ``size`` counts the quote currency where ``is_quote_size``; ``price`` is None for a market order.
    """

    id: int
    client_id: str
    pair: Pair
    side: str
    type: str
    size: Decimal
    is_quote_size: bool
    price: Decimal | None
    rebate: Decimal
    created_ms: int
    ended_ms: int
    is_canceled: bool
    fills: list[Fill] = field(default_factory=list)

    @property
    def filled_size(self) -> Decimal:
        return sum((fill.size for fill in self.fills), Decimal(0))

    @property
    def average_price(self) -> Decimal | None:
        """To 15 decimals; None without a fill."""
        size = self.filled_size
        if not size:
            return None
        value = sum((fill.price * fill.size for fill in self.fills), Decimal(0))
        return (value / size).quantize(Decimal("1e-15"))

    @property
    def fee(self) -> Decimal:
        return sum((fill.fee for fill in self.fills), Decimal(0))

    @property
    def fee_asset(self) -> str:
        return self.pair.listing.base if self.side == "buy" else self.pair.listing.quote

    @property
    def rebate_asset(self) -> str:
        return self.pair.listing.quote if self.side == "buy" else self.pair.listing.base


class OrderBookkeeping:
    """The orders and fills of one account, made as far as they are asked for."""

    def __init__(self, seed: int, account: SandboxAccount, pairs: Sequence[Pair], per_account: int) -> None:
        self._name = f"{seed}:{account.venue}_{account.name}"
        self._pairs = [] if account.is_empty else pairs
        # Long orders from before the opening may still fill after it.
        self._slots = SlotClock(per_account, before_ms=_LONGEST_LIFE_MS)
        self._orders: list[Order] = []
        self._fills: list[Fill] = []

    def orders(self, now_ms: int) -> list[Order]:
        """All orders since the opening and up to now, ascending by id, and some around them."""
        self._make(now_ms)
        return self._orders

    def fills(self, now_ms: int) -> list[Fill]:
        """All their fills, also those to come, ascending by bill id."""
        self._make(now_ms)
        return self._fills

    def _make(self, now_ms: int) -> None:
        missing = self._slots.take_missing(now_ms) if self._pairs else ()
        if not missing:
            return
        made = [self._make_order(slot) for slot in missing]
        self._orders += made
        self._orders.sort(key=lambda order: order.id)
        self._fills += (fill for order in made for fill in order.fills)
        self._fills.sort(key=lambda fill: fill.bill_id)

    def _make_order(self, slot: int) -> Order:
        dice = Random(f"{self._name}:order:{slot}")  # noqa: S311 - made up, not secret
        place = min(int(dice.expovariate(0.35)), len(self._pairs) - 1)
        pair = self._pairs[place]
        listing = pair.listing
        type_ = dice.choices(("limit", "market", "post_only", "ioc", "fok"), (60, 20, 12, 5, 3))[0]
        side = dice.choice(("buy", "sell"))
        tick, lot = (Decimal(step) / E8 for step in (listing.tick_e8, listing.lot_e8))
        price = max(round(Decimal(listing.price * dice.uniform(0.8, 1.2)) / tick), 1) * tick
        is_sweep = slot % _SWEEP_EVERY == 0
        lots = dice.randint(_SWEEP_FILLS if is_sweep else 1, 5_000)
        created_ms = slot * self._slots.slot_ms + dice.randrange(self._slots.slot_ms)
        is_quote_size = type_ == "market" and side == "buy" and dice.random() < 0.8
        order = Order(
            # Neighbours change places: ids follow the times only roughly.
            id=600_000_000_000_000_000 + (slot ^ 5) * 1_000_003,
            client_id=f"mh{slot:x}" if dice.random() < 0.5 else "",
            pair=pair,
            side=side,
            type=type_,
            size=lots * lot * price if is_quote_size else lots * lot,
            is_quote_size=is_quote_size,
            price=None if type_ == "market" else price,
            rebate=lots * lot * _REBATE if type_ == "post_only" and dice.random() < 0.5 else Decimal(0),
            created_ms=created_ms,
            ended_ms=created_ms + _draw_life(dice, type_),
            is_canceled=not is_sweep and type_ != "market" and dice.random() < 0.3,
        )
        # Trade ids are unique within a pair only.
        trade_id = (slot + 97 * place) * 200
        order.fills.extend(_make_fills(dice, order, slot, trade_id, lots=lots, price=price))
        return order


def _draw_life(dice: Random, type_: str) -> int:
    if type_ in ("market", "ioc", "fok"):
        return dice.randint(1, 40)
    longest_ms = dice.choices((60_000, _HOUR_MS, DAY_MS, _LONGEST_LIFE_MS), (45, 35, 15, 5))[0]
    return dice.randint(50, longest_ms)


def _make_fills(
    dice: Random, order: Order, slot: int, trade_id: int, *, lots: int, price: Decimal
) -> Iterator[Fill]:
    tick, lot = (Decimal(step) / E8 for step in (order.pair.listing.tick_e8, order.pair.listing.lot_e8))
    is_sweep = slot % _SWEEP_EVERY == 0
    if order.is_canceled:
        lots = 0 if dice.random() < 0.7 else lots // 2
    pieces = _SWEEP_FILLS if is_sweep else dice.choices((1, 2, 3, 5, 9), (50, 20, 15, 10, 5))[0]
    count = min(pieces, lots)
    is_taker = order.type in ("market", "ioc", "fok")
    time_ms = order.created_ms
    for number in range(count):
        size = lots // (count - number)
        lots -= size
        # Most pieces of an order trade in the same millisecond as the one before, some right after it. They
        # are not booked in the order in which they traded.
        if not is_sweep and dice.random() < 0.35:
            last_ms = time_ms + 5 if dice.random() < 0.4 else order.ended_ms
            time_ms = dice.randint(time_ms, max(min(last_ms, order.ended_ms), time_ms))
        booked_ms = time_ms + dice.randint(1, 40)
        fill_price = price + tick * number if order.type == "market" else price
        fee = (_TAKER if is_taker else _MAKER) * size * lot
        yield Fill(
            bill_id=booked_ms * 1_000_000 + slot % 5_000 * 200 + number,
            trade_id=trade_id + number,
            order=order,
            is_taker=is_taker,
            price=fill_price,
            size=size * lot,
            fee=fee if order.side == "buy" else fee * fill_price,
            time_ms=time_ms,
            booked_ms=booked_ms,
        )
