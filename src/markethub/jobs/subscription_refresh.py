"""The job ``sync_subscriptions``: let the rules of subscriptions choose anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markethub.control.database import Database
from markethub.control.subscription_choices import StoredChoice, list_choices, note_resolved
from markethub.control.subscriptions import SubscriptionChanges, list_subscriptions, replace_subscriptions
from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Symbol
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.asking import asking
from markethub.jobs.market_access import market_of, plan_per_venue
from markethub.jobs.record_writing import NO_RECORDS
from markethub.jobs.subscription_rules import Chosen, ask_for_rule
from markethub.ports.clock import Clock
from markethub.ports.venue import MarketSource, Venue

_NAMED = 20
_TOO_FEW_TO_JUDGE = 2


@dataclass(frozen=True, slots=True)
class SubscriptionRefreshHandler:
    """One chunk per exchange that has a rule. Counters: ``processed`` symbols are chosen now, of which
    ``inserted`` are new; ``removed`` ones are no longer."""

    venues: Mapping[str, Venue]
    database: Database
    clock: Clock

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """The parameter ``exchanges``, if there is one, names those to look at; without it all are."""
        exchanges: Sequence[str] | None = execution.parameters.get("exchanges")
        async with self.database.read() as connection:
            choices = await list_choices(connection, exchanges)
        codes = [choice.exchange for choice in choices if choice.rule is not None]
        if not codes:
            log.info("No exchange is subscribed to by a rule: nothing to do")
        chunks = [NewChunk(key=code, queue=code, parameters={"exchange": code}) for code in codes]
        return plan_per_venue(chunks, self.venues)

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Ask the exchange, store what its rule chooses, and tell what came and went."""
        code: str = chunk.parameters["exchange"]
        async with self.database.read() as connection:
            choices = await list_choices(connection, [code])
        if not choices or choices[0].rule is None:
            log.info(f"{code} has no rule any more")
            return NO_RECORDS
        with asking(chunk.trace_id, is_fresh=True):
            changes = await refresh_rule(
                self.database, market_of(self.venues, code), choices[0], self.clock, log
            )
        if changes is None:
            return NO_RECORDS
        return {
            **NO_RECORDS,
            "processed": len(changes.symbols),
            "inserted": len(changes.added),
            "unchanged": len(changes.kept),
            "removed": len(changes.removed),
        }


async def refresh_rule(
    database: Database, market: MarketSource, choice: StoredChoice, clock: Clock, log: WorkLog
) -> SubscriptionChanges | None:
    """Let the rule of ``choice`` choose anew and store the result; None where another choice came meanwhile.

    VenueProtocolError, and nothing changed, for an answer that is hard to believe: nothing that the rule
    takes trades, or more than half of what it chose before does not. Setting the rule again believes it.
    """
    rule = choice.rule
    if rule is None:
        return None
    async with database.read() as connection:
        present = [one.symbol for one in await list_subscriptions(connection, [choice.exchange])]
    # What was there before the rule first chose is not of its choosing.
    before = [] if choice.resolved_ms is None else present
    chosen = await ask_for_rule(market, choice.exchange, rule, before)
    _check_credible(choice, chosen, [one for one in before if one.instrument not in rule.include])
    async with database.begin(durable=True) as connection:
        now_ms = clock()
        if not await note_resolved(connection, choice, now_ms):
            log.info(f"{choice.exchange}: its subscriptions were changed meanwhile; nothing is done")
            return None
        changes = await replace_subscriptions(connection, choice.exchange, chosen.symbols, now_ms)
    _tell(choice, chosen, changes, log)
    return changes


def _check_credible(choice: StoredChoice, chosen: Chosen, ranked_before: Sequence[Symbol]) -> None:
    if not chosen.symbols:
        raise VenueProtocolError(
            f"{choice.exchange} shows nothing that the rule ({choice.rule}) could choose; nothing was changed"
        )
    lost = len(set(ranked_before) - chosen.trading)
    if len(ranked_before) > _TOO_FEW_TO_JUDGE and 2 * lost > len(ranked_before):
        raise VenueProtocolError(
            f"{lost} of {len(ranked_before)} subscribed instruments of {choice.exchange} do not trade now; "
            "that is not believed, and nothing was changed. If it is right, set the rule again"
        )


def _tell(choice: StoredChoice, chosen: Chosen, changes: SubscriptionChanges, log: WorkLog) -> None:
    log.info(
        f"{choice.exchange}: {len(changes.symbols)} symbols subscribed by its rule ({choice.rule}), "
        f"{len(changes.added)} new, {len(changes.removed)} gone"
    )
    for what, symbols in (("new", changes.added), ("gone", changes.removed)):
        if symbols:
            more = f" and {len(symbols) - _NAMED} more" if len(symbols) > _NAMED else ""
            log.info(f"{choice.exchange}, {what}: {', '.join(map(str, symbols[:_NAMED]))}{more}")
    if chosen.unlisted:
        log.warning(
            f"{choice.exchange} does not list {', '.join(chosen.unlisted[:_NAMED])} of its rule's include"
        )
