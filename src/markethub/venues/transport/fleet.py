"""A window of weight that several processes spend together."""

from markethub.venues.transport.share import Gate, Share
from markethub.venues.transport.tally import Tally


class FleetWindow:
    """Keeps what this process spends, as its tally has it, within what its share was granted.

    ``spendable`` is the limit of all processes together; None where there is none: then only the gate is
    shared.
    """

    def __init__(self, share: Share, tally: Tally) -> None:
        self._share = share
        self._tally = tally

    @property
    def used(self) -> int | None:
        """As Share.fleet_used, of the present window."""
        return self._share.fleet_used(self._tally.number)

    def may_send(self, weight: int, spendable: int | None) -> bool:
        """Whether the fleet agrees, as far as it was asked."""
        share, tally = self._share, self._tally
        if not share.is_checked:
            return False
        if spendable is None:
            return True
        return share.has(tally.number, self._needed(weight, spendable)) and (
            not self._must_book_next or share.has(tally.number + 1, tally.late + weight)
        )

    async def ask(self, weight: int, spendable: int | None, waiting: int) -> tuple[float, Gate | None]:
        """Ask for what ``weight`` lacks, with ``waiting`` more behind it.

        The seconds until asking makes sense, 0 to look again now; and the gate if it was found closed.
        """
        share, number = self._share, self._tally.number
        if spendable is None:
            return 0.0, await share.check(number, None)
        self._tally.is_shared = share.sharers > 1
        has_enough = share.has(number, self._needed(weight, spendable))
        if not share.is_checked and (has_enough or share.is_made_do(number)):
            return 0.0, await share.check(number, spendable)
        if has_enough:
            return await self._book_next(weight, spendable)
        return await self._take(weight, spendable, waiting)

    def is_in_debt(self, spendable: int | None) -> bool:
        """Whether others must be told that requests which were under way at the turn count in this window."""
        if spendable is None or self._share.sharers == 1:
            return False
        return self._share.lacks(self._tally.number, self._tally.own)

    async def pay_debt(self, spendable: int) -> Gate | None:
        tally = self._tally
        return await self._share.take(
            tally.number, tally.own, spendable, spent=tally.own, foreign=tally.foreign, is_early=True
        )

    async def _take(self, weight: int, spendable: int, waiting: int) -> tuple[float, Gate | None]:
        share, tally = self._share, self._tally
        needed = self._needed(weight, spendable)
        limit = spendable - share.strangers(tally.number)
        delay_s = share.hold_up_s(tally.number, needed, limit, tally.to_middle_s, tally.to_turn_s)
        if delay_s > 0:
            return delay_s, None
        gate = await share.take(
            tally.number,
            needed,
            limit,
            spent=tally.own,
            foreign=tally.foreign,
            waiting=waiting,
            is_early=tally.to_middle_s > 0,
        )
        return 0.0, gate

    async def _book_next(self, weight: int, spendable: int) -> tuple[float, Gate | None]:
        share, tally = self._share, self._tally
        number, booked = tally.number + 1, tally.late + weight
        delay_s = share.hold_up_s(number, booked, spendable, tally.to_turn_s, tally.to_turn_s)
        if delay_s > 0:
            return delay_s, None
        return 0.0, await share.take(number, booked, spendable, spent=tally.late, foreign=0, is_early=True)

    @property
    def _must_book_next(self) -> bool:
        """Whether what is sent now may be counted in the next window, where others would not know of it.

        However alone we are: somebody may begin at this moment, and would take the whole next window.
        """
        return self._tally.is_late

    def _needed(self, weight: int, spendable: int) -> int:
        own = self._tally.own
        # Alone in its window, a weight above the limit has to do with all of it.
        return own + weight if own else min(weight, spendable)
