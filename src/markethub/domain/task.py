"""Tasks: the scheduled jobs that keep series of klines up to date."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from markethub.domain.errors import InputError

TASK_CATEGORY = "sync"
TASK_JOB_TYPE = "kline"
"""A job of this category and type is a task."""

MODE = "mode"
"""The parameter of a task that tells its type."""


class TaskType(StrEnum):
    """``incremental``: go on from the last stored bar. ``full_sync``: the whole history, fetched again."""

    INCREMENTAL = "incremental"
    FULL_SYNC = "full_sync"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a task type; InputError that lists the allowed ones otherwise."""
        try:
            return cls(text)
        except ValueError:
            raise InputError(f"task_type {text[:60]!r} is not one of {', '.join(cls)}") from None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """The type of a task with these parameters, which were checked; incremental unless they say more."""
        return cls(parameters.get(MODE, cls.INCREMENTAL))
