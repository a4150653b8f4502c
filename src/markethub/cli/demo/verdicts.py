"""Claims of the demo that were checked while it ran."""

from dataclasses import dataclass, field

from markethub.cli.output import say


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was claimed, and whether it held."""

    held: list[tuple[str, bool]] = field(default_factory=list)

    def claim(self, text: str, holds: bool) -> None:
        """Print the claim with its outcome and remember it."""
        self.held.append((text, holds))
        say(f"  {'ok  ' if holds else 'FAIL'}  {text}")

    @property
    def all_hold(self) -> bool:
        return all(holds for _, holds in self.held)
