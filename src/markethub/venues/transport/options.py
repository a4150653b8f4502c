"""Reading a venue's options, which arrive as text."""

import math
from collections.abc import Mapping, Sequence

from markethub.domain.errors import InputError


def check_names(options: Mapping[str, str], allowed: Sequence[str], venue: str) -> None:
    """Raise InputError for the first option that is not among ``allowed``, with those that are."""
    for name in options:
        if name not in allowed:
            raise InputError(f"{venue} has no option {name[:60]!r}; allowed are {', '.join(allowed)}")


def read_number(
    options: Mapping[str, str], name: str, low: float, high: float, *, default: float, venue: str
) -> float:
    """The option's value, whole where ``default`` is; InputError unless it is a number from low to high."""
    if name not in options:
        return default
    text = options[name]
    try:
        value = float(int(text) if isinstance(default, int) else text)
    except (ValueError, OverflowError):
        value = math.nan
    if not low <= value <= high:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise InputError(f"{venue} option {name} {text[:60]!r} is not {kind} from {low:g} to {high:g}")
    return value


def read_switch(options: Mapping[str, str], name: str, *, default: bool, venue: str) -> bool:
    """The option's value; InputError unless it is ``true`` or ``false``."""
    text = options.get(name, "true" if default else "false")
    if text not in ("true", "false"):
        raise InputError(f"{venue} option {name} {text[:60]!r} is neither true nor false")
    return text == "true"
