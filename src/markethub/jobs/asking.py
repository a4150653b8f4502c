"""On whose behalf a handler asks the venues."""

from collections.abc import Iterator
from contextlib import contextmanager

from markethub.domain.span import Span
from markethub.ports.budget import Asker, current_asker

_FRESH_MS = 86_400_000


@contextmanager
def asking(trace_id: str, *, is_fresh: bool) -> Iterator[None]:
    """Let everything asked inside count for the execution ``trace_id``: it shares budgets fairly with others,
    and what is fresh goes before history."""
    token = current_asker.set(Asker(trace_id, is_fresh))
    try:
        yield
    finally:
        current_asker.reset(token)


def is_fresh(span: Span, now_ms: int) -> bool:
    """Whether the span ends within the last day."""
    return span.end_ms > now_ms - _FRESH_MS
