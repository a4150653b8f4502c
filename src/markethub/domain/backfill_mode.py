"""Which part of what a backfill is about it asks for."""

from enum import StrEnum


class BackfillMode(StrEnum):
    """``missing``: what the store lacks. ``all``: everything, stored or not, to find what was amended since.
    ``failed``: what chunks of earlier backfills of the kind failed to fetch."""

    MISSING = "missing"
    ALL = "all"
    FAILED = "failed"
