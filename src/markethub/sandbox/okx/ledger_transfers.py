"""Made-up deposits, withdrawals and moves of the sandbox's accounts: any moment, always the same.

Time is cut into slots like that of orders. Some runs of slots share one millisecond, ids are not in the order
of times (those of bills are), and states change as time goes by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

from markethub.sandbox.accounts import SandboxAccount
from markethub.sandbox.intervals import DAY_MS
from markethub.sandbox.okx.ledger_slots import SlotClock

_RUN: Final = 5
_HOUR_MS: Final = 3_600_000
_ID_PRIME, _ID_STEP = 99_999_989, 48_271_337  # together they give each slot an id of its own, in no order
_KINDS: Final = ("deposit", "withdrawal", "move", "other")
_KIND_WEIGHTS: Final = (35, 25, 33, 7)
# Type of the bill, and whether the funding wallet gains.
_MOVES: Final = (("130", True), ("131", False), ("20", False), ("21", True), ("22", False), ("23", True))
_OTHER_BILLS: Final = (("61", True), ("75", False), ("76", True), ("48", True))
_WAITING: Final = {"deposit": ("0", "1"), "withdrawal": ("0", "7", "1")}
_STUCK: Final = {"deposit": ("8", "11", "12", "13", "14", "17"), "withdrawal": ("19", "17", "4")}
_CHAINS: Final = ("Bitcoin", "ERC20", "TRC20", "Arbitrum one", "Solana")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of money. ``kind`` is ``deposit``, ``withdrawal``, ``move``, or ``other``, which is no
    transfer but a bill among theirs; ``partner`` is an address or another user, empty for the other kinds.

    ``bill_type`` and ``is_gain`` tell what it does to the funding wallet.
    """

    id: int
    bill_id: int
    kind: str
    asset: str
    amount: Decimal
    fee: Decimal
    partner: str
    chain: str
    tx_id: str
    bill_type: str
    is_gain: bool
    time_ms: int
    settled_ms: int
    final_state: str

    @property
    def is_internal(self) -> bool:
        """Whether the partner is another user of the venue."""
        return not self.chain

    def state(self, now_ms: int) -> str:
        """The venue's code at that time; of a kind that has states."""
        if now_ms >= self.settled_ms:
            return self.final_state
        waiting = _WAITING[self.kind]
        return waiting[(now_ms - self.time_ms) * len(waiting) // (self.settled_ms - self.time_ms)]


class TransferBookkeeping:
    """The transfers of one account, made as far as they are asked for."""

    def __init__(self, seed: int, account: SandboxAccount, assets: Sequence[str], per_account: int) -> None:
        self._name = f"{seed}:{account.venue}_{account.name}"
        self._assets = [] if account.is_empty else assets
        # The last slots of a run happened when its first one did.
        self._slots = SlotClock(per_account, ahead_slots=_RUN)
        self._transfers: list[Transfer] = []

    def transfers(self, now_ms: int) -> list[Transfer]:
        """All transfers since the opening and up to now, ascending by time, and some around them."""
        missing = self._slots.take_missing(now_ms) if self._assets else ()
        if missing:
            made = [self._make(slot) for slot in missing]
            self._transfers = sorted(self._transfers + made, key=lambda one: (one.time_ms, one.bill_id))
        return self._transfers

    def _make(self, slot: int) -> Transfer:
        run = Random(f"{self._name}:run:{slot // _RUN}")  # noqa: S311 - made up, not secret
        dice = Random(f"{self._name}:transfer:{slot}")  # noqa: S311
        is_together = run.random() < 0.5
        kind = (run if is_together else dice).choices(_KINDS, _KIND_WEIGHTS)[0]
        time_ms = slot * self._slots.slot_ms + dice.randrange(self._slots.slot_ms)
        if is_together:
            first_slot = slot // _RUN * _RUN
            time_ms = first_slot * self._slots.slot_ms + run.randrange(self._slots.slot_ms)
        asset = dice.choice(self._assets)
        chain = f"{asset}-{dice.choice(_CHAINS)}" if dice.random() < 0.8 else ""
        final_state, settled_ms = _draw_end(dice, kind, time_ms)
        bill_type, is_gain = _draw_bill(dice, kind, final_state)
        has_partner = kind in _WAITING
        address = f"0x{dice.getrandbits(160):040x}"
        return Transfer(
            id=700_000_000 + slot * _ID_STEP % _ID_PRIME,
            bill_id=time_ms * 1_000 + slot % 1_000,
            kind=kind,
            asset=asset,
            amount=Decimal(dice.randint(1, 10**15)) / 10 ** dice.randint(6, 16),
            fee=Decimal(dice.randint(1, 500)) / 10_000,
            partner=(address if chain else f"user{dice.randrange(1000)}@example.com") if has_partner else "",
            chain=chain if has_partner else "",
            tx_id=f"0x{dice.getrandbits(256):064x}" if has_partner and chain else "",
            bill_type=bill_type,
            is_gain=is_gain,
            time_ms=time_ms,
            settled_ms=settled_ms,
            final_state=final_state,
        )


def _draw_end(dice: Random, kind: str, time_ms: int) -> tuple[str, int]:
    if kind not in _WAITING:
        return "", time_ms
    settled_ms = time_ms + dice.randint(60_000, dice.choices((_HOUR_MS, 3 * DAY_MS), (95, 5))[0])
    if dice.random() < 0.01:
        return dice.choice(_STUCK[kind]), settled_ms
    if kind == "withdrawal":
        return dice.choices(("2", "-1", "-2"), (90, 4, 6))[0], settled_ms
    return "2", settled_ms


def _draw_bill(dice: Random, kind: str, final_state: str) -> tuple[str, bool]:
    if kind == "deposit":
        return "1", True
    if kind == "withdrawal":
        return ("13", True) if final_state == "-2" else ("2", False)
    return dice.choice(_MOVES if kind == "move" else _OTHER_BILLS)
