"""One question to a venue, asked when it may be, again when that helps, and no more often."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from markethub.domain.errors import KeyRefusedError, VenueThrottledError, VenueUnavailableError
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.faults import Fault, FaultTable, Reaction
from markethub.venues.transport.request import Question, Request, Signer, conceal, plain_request
from markethub.venues.transport.session import Answer, VenueSession

# Of its own: drawing from the shared generator would disturb whoever has seeded it.
_jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How stubborn one call is.

    ``quick_retries`` is the number of second tries after network trouble, the first after ``first_delay_s``,
    each next one after twice that. ``patience_s`` is how long a call may wait because the venue said so.
    """

    quick_retries: int = 2
    first_delay_s: float = 0.2
    patience_s: float = 120.0


class VenueCaller:
    """Asks one host of a venue through its shared budget; ``count_header`` tells what the venue counted."""

    def __init__(
        self,
        session: VenueSession,
        budget: WeightBudget,
        faults: FaultTable,
        policy: RetryPolicy,
        *,
        count_header: str | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._budget = budget
        self._faults = faults
        self._policy = policy
        self.count_header = count_header
        self._sleep = sleep

    async def ask(self, question: Question, signer: Signer | None = None) -> bytes:
        """The body of a good answer; ``signer`` asks in the name of an account.

        Raises VenueUnavailableError when quick retries did not help, VenueThrottledError on a ban or a pause
        beyond the call's patience, and whatever class the venue's table has for a refusal. A refused time is
        measured again once.
        """
        patience_s = self._policy.patience_s
        failures = 0
        is_resynced = False
        while True:
            try:
                answer, request = await self._send(question, signer, patience_s)
                fault = self._faults.judge(answer, question.subject)
                if fault is None:
                    self._budget.forgive()
                    return answer.body
                fault = replace(fault, message=conceal(fault.message, request))
                if fault.reaction is Reaction.RESYNC and signer is not None and not is_resynced:
                    is_resynced = True
                    await signer.resync()
                    continue
                patience_s -= await self._react(fault, patience_s)
            except VenueUnavailableError:
                failures += 1
                if failures > self._policy.quick_retries:
                    raise
                await self._sleep(self._backoff_s(failures))

    async def close(self) -> None:
        await self._session.close()

    async def _send(
        self, question: Question, signer: Signer | None, patience_s: float
    ) -> tuple[Answer, Request]:
        if signer is not None:
            await signer.prepare()
        with await self._budget.acquire(question.weight, patience_s) as reservation:
            request = plain_request(question) if signer is None else signer.sign(question)
            answer = await self._session.send(request, question.max_bytes)
            count = answer.headers.get(self.count_header) if self.count_header else None
            if count is not None and count.isascii() and count.isdigit():
                reservation.venue_count = int(count[:18])
        return answer, request

    async def _react(self, fault: Fault, patience_s: float) -> float:
        """Return the seconds for which the gate is closed now, or raise what ends the call."""
        if not isinstance(fault.reaction, Reaction):
            raise fault.reaction(fault.message)
        if fault.reaction is Reaction.RESYNC:
            raise KeyRefusedError(f"{fault.message}: the time of this machine's requests is not accepted")
        if fault.reaction is Reaction.RETRY:
            raise VenueUnavailableError(fault.message)
        is_ban = fault.reaction is Reaction.STOP
        # No await since the answer came in: nobody slips through before the gate closes.
        pause_s = self._budget.throttle(fault.retry_after_s, ban=is_ban)
        await self._budget.publish()
        if is_ban or pause_s > patience_s:
            raise VenueThrottledError(fault.message, pause_s)
        return pause_s

    def _backoff_s(self, failures: int) -> float:
        longest_s = self._policy.first_delay_s * 2.0 ** (failures - 1)
        return longest_s * _jitter.uniform(0.5, 1.0)
