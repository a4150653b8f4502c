"""Lengths of time as people write them."""

import re

from markethub.domain.errors import InputError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdw])")


def parse_duration_s(text: str) -> int:
    """Read ``90s``, ``30m``, ``12h``, ``30d`` or ``4w`` into seconds; InputError otherwise."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InputError(f"{text[:40]!r} is not a length of time such as 90s, 30m, 12h, 30d or 4w")
    return int(match[1]) * _UNITS_S[match[2]]


def format_duration(duration_s: float) -> str:
    """Write ``40 ms``, ``1.4 s``, ``12 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    if duration_s < 0.9995:
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 9.95:
        return f"{duration_s:.1f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    if not minutes:
        return f"{seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"
