"""What of its range a backfill asks for, as its parameters keep it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.span import Span, subtract
from markethub.domain.times import format_time, parse_time
from markethub.engine.handler import Parameters


@dataclass(frozen=True, slots=True)
class Choice:
    """The mode of a backfill, and for ``failed`` the spans that failed, by series or owner."""

    mode: BackfillMode = BackfillMode.MISSING
    failed: Mapping[str, Sequence[Span]] = field(default_factory=dict)

    @property
    def asks_again(self) -> bool:
        """Whether what is stored is asked for once more."""
        return self.mode is BackfillMode.ALL

    def left_out(self, name: str, span: Span) -> list[Span]:
        """What of ``span`` is not to be asked for of series or owner ``name``, ascending."""
        return subtract(span, self.failed.get(name, ())) if self.mode is BackfillMode.FAILED else []

    def to_parameters(self) -> dict[str, object]:
        """The JSON form, empty for the usual mode."""
        if self.mode is BackfillMode.MISSING:
            return {}
        if self.mode is BackfillMode.ALL:
            return {"mode": self.mode.value}
        spans = {
            name: [[format_time(span.start_ms), format_time(span.end_ms)] for span in failed]
            for name, failed in self.failed.items()
        }
        return {"mode": self.mode.value, "failed": spans}

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Read what ``to_parameters`` wrote, among other parameters."""
        failed = {
            name: [Span(parse_time(start), parse_time(end)) for start, end in spans]
            for name, spans in parameters.get("failed", {}).items()
        }
        return cls(BackfillMode(parameters.get("mode", BackfillMode.MISSING)), failed)


WHAT_IS_MISSING = Choice()
"""The usual choice."""
