"""What a benchmark tells, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured value, and what it is held against: another program in the same run, or a target."""

    name: str
    value: float
    unit: str
    baseline: str | None = None
    baseline_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of the baseline's; whether more is better depends on the unit."""
        return self.value / self.baseline_value if self.baseline_value else None


def format_table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table with aligned columns."""
    head = ("measured", "value", "unit", "baseline", "its value", "ratio")
    body = [
        (
            row.name,
            format_number(row.value),
            row.unit,
            row.baseline or "",
            format_number(row.baseline_value),
            f"{row.ratio:.2f}" if row.ratio is not None else "",
        )
        for row in rows
    ]
    widths = [max(len(cells[place]) for cells in (head, *body)) for place in range(len(head))]
    is_number = [False, True, False, False, True, True]
    rule = [
        f"{'-' * (width - 1)}:" if right else "-" * width
        for width, right in zip(widths, is_number, strict=True)
    ]
    lines = [head, tuple(rule), *body]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_number, strict=True)
        )
        + " |"
        for line in lines
    )


def format_number(value: float | None) -> str:
    """Three significant digits at least, thousands apart; empty for None."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
