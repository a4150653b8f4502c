"""What a backfill request means: which symbols, which accounts, which span."""

from collections.abc import Sequence

from markethub.control import subscriptions
from markethub.control.subscription_choices import list_choices
from markethub.domain.errors import InputError
from markethub.domain.span import Span
from markethub.domain.support import DataKind, check_support, venues_with
from markethub.domain.symbol import Account, Symbol, parse_root_symbol
from markethub.domain.times import format_time, parse_time
from markethub.services.hub import Hub

EARLIEST_MS = parse_time("2010-01-01")
"""No exchange has data from before; an earlier start is taken for a mistake."""


def check_span(start_ms: int, end_ms: int | None, now_ms: int) -> Span:
    """The half-open span of a request, its end clamped to now; InputError when it would be empty."""
    _check_start(start_ms)
    clamped_ms = clamp_end(end_ms, now_ms)
    if start_ms >= clamped_ms:
        end = "now" if clamped_ms == now_ms else "end_time"
        raise InputError(f"start_time {format_time(start_ms)} must be before {end} {format_time(clamped_ms)}")
    return Span(start_ms, clamped_ms)


def clamp_end(end_ms: int | None, now_ms: int) -> int:
    """The end of a request: now when none is given or it lies ahead."""
    return now_ms if end_ms is None else min(end_ms, now_ms)


def check_end(end_ms: int | None, now_ms: int) -> int:
    """The end of a request without a start; InputError when it lies before all data."""
    if end_ms is not None and end_ms <= EARLIEST_MS:
        raise InputError(
            f"end_time {format_time(end_ms)} is too early; it must be after {format_time(EARLIEST_MS)}"
        )
    return clamp_end(end_ms, now_ms)


def _check_start(start_ms: int) -> None:
    if start_ms < EARLIEST_MS:
        raise InputError(
            f"start_time {format_time(start_ms)} is too early; the earliest is {format_time(EARLIEST_MS)}"
        )


def check_exchanges(hub: Hub, kind: DataKind, exchanges: Sequence[str] | None) -> list[str] | None:
    """The exchanges of a request, each once; InputError when one is unknown or lacks the kind."""
    if exchanges is None:
        return None
    if not exchanges:
        supported = ", ".join(venues_with(kind, hub.support))
        raise InputError(f"exchanges is empty; leave it out, or name some of {supported}")
    check_support(exchanges, kind, hub.support)
    return list(dict.fromkeys(exchanges))


async def resolve_symbols(
    hub: Hub, kind: DataKind, exchanges: Sequence[str] | None, symbols: Sequence[str] | None
) -> list[Symbol]:
    """The instruments of a request for market data: ``symbols`` win over ``exchanges``.

    Without symbols it is every subscribed one of the exchanges, all that support the kind when none is named.
    InputError when that is none.
    """
    named = check_exchanges(hub, kind, exchanges)
    if symbols is not None:
        return _parse_symbols(hub, kind, named, symbols)
    venues = named or venues_with(kind, hub.support)
    async with hub.database.read() as connection:
        subscribed = await subscriptions.list_subscriptions(connection, venues)
        choices = await list_choices(connection, venues)
    if not subscribed:
        waiting = [choice.exchange for choice in choices if choice.rule and choice.resolved_ms is None]
        why = f" (the rule of {', '.join(waiting)} waits for an answer of the exchange)" if waiting else ""
        raise InputError(
            f"no symbol is subscribed on {', '.join(venues)}{why}; name symbols, or subscribe to some with "
            "PUT /api/v1/subscriptions/{exchange}, `markethub subscriptions set` or [subscriptions] in the "
            "configuration"
        )
    return [one.symbol for one in subscribed]


def _parse_symbols(
    hub: Hub, kind: DataKind, exchanges: Sequence[str] | None, symbols: Sequence[str]
) -> list[Symbol]:
    if not symbols:
        raise InputError("symbols is empty; leave it out to take every subscribed symbol")
    parsed = list(dict.fromkeys(Symbol.parse(text) for text in symbols))
    for symbol in parsed:
        if symbol.is_stock:
            raise InputError(f"symbol {symbol} is a stock; a backfill takes BASE_QUOTE.EXCHANGE")
        if exchanges is not None and symbol.venue not in exchanges:
            raise InputError(
                f"symbol {symbol} is on {symbol.venue}, which is not among exchanges {', '.join(exchanges)}"
            )
    check_support((symbol.venue for symbol in parsed), kind, hub.support)
    return parsed


def resolve_accounts(
    hub: Hub, kind: DataKind, exchanges: Sequence[str] | None, accounts: Sequence[str] | None
) -> list[Account]:
    """The configured accounts of a request: those named, else all of the named exchanges.

    InputError when one is not configured, not on a named exchange, or when there is none at all.
    """
    named = check_exchanges(hub, kind, exchanges)
    if accounts is not None:
        return _parse_accounts(hub, kind, named, accounts)
    if named is None:
        supported = ", ".join(venues_with(kind, hub.support))
        raise InputError(f"name accounts or exchanges; exchanges that support {kind} are {supported}")
    found = [account for account in hub.accounts.accounts() if account.venue in named]
    if not found:
        raise InputError(
            f"no account of {', '.join(named)} is configured; set [accounts.{named[0]}_NAME] "
            "in the configuration"
        )
    return found


def _parse_accounts(
    hub: Hub, kind: DataKind, exchanges: Sequence[str] | None, accounts: Sequence[str]
) -> list[Account]:
    if not accounts:
        raise InputError("accounts is empty; name at least one, such as OKX_MM01")
    parsed = list(dict.fromkeys(Account.parse(text) for text in accounts))
    for account in parsed:
        if exchanges is not None and account.venue not in exchanges:
            raise InputError(
                f"account {account} is on {account.venue}, which is not among exchanges "
                f"{', '.join(exchanges)}"
            )
    check_support((account.venue for account in parsed), kind, hub.support)
    known = hub.accounts.accounts()
    for account in parsed:
        if account not in known:
            listed = ", ".join(str(one) for one in known) or "none"
            raise InputError(
                f"account {account} is not configured; configured are {listed}. "
                f"Set [accounts.{account}] in the configuration"
            )
    return parsed


def parse_roots(symbols: Sequence[str] | None) -> list[str]:
    """The root symbols (``BTC_USDT``) of a request for ledger data, each once; none given means all."""
    if symbols is None:
        return []
    if not symbols:
        raise InputError("symbols is empty; leave it out to take every instrument")
    return list(dict.fromkeys(parse_root_symbol(text) for text in symbols))
