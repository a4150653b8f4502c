"""How many cases are drawn at random: few by default, many under ``make fuzz``."""

import os

FUZZ_EXAMPLES = int(os.environ.get("MARKETHUB_FUZZ_EXAMPLES", "0"))
"""Cases for each route and each machine under ``make fuzz``; zero otherwise."""


def drawn(usual: int) -> int:
    """As many as ``make fuzz`` was told, otherwise ``usual``."""
    return FUZZ_EXAMPLES or usual
