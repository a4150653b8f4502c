"""The jobs of one node: our default ones, and what the configuration says of them."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from markethub.config import JobSettings
from markethub.control.jobs import JobSpec, handler_name
from markethub.domain.errors import InputError
from markethub.engine.schedules import CRON, INTERVAL, parse_cron, parse_every

CheckParameters = Callable[[str, Mapping[str, Any]], None]
"""Raises InputError where parameters are none that the handler of this name takes."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_SAME = (
    "description",
    "enabled",
    "max_instances",
    "timeout_seconds",
    "misfire_grace_seconds",
    "catch_up",
)
_TAKEN_PREFIX = "backfill_"
_TAKEN = frozenset({"executions"})  # the path /jobs/executions shows those of all jobs


def configure_jobs(
    settings: Mapping[str, JobSettings],
    defaults: Sequence[JobSpec],
    handlers: Collection[str],
    check_parameters: CheckParameters,
    *,
    all_defaults: bool = True,
) -> tuple[JobSpec, ...]:
    """The jobs that result: defaults as far as ``settings`` do not change them, and those of new names.

    Without ``all_defaults`` only the defaults that ``settings`` name. InputError names the setting, the value
    and what is allowed.
    """
    known = {spec.name: spec for spec in defaults}
    made = {name: _configure(name, given, known.get(name), handlers) for name, given in settings.items()}
    for name, spec in made.items():
        try:
            check_parameters(handler_name(spec.job_category, spec.job_type), spec.parameters)
        except InputError as error:
            raise InputError(f"setting jobs.{name}.parameters: {error}") from error
    untouched = [spec for name, spec in known.items() if all_defaults and name not in made]
    return (*untouched, *made.values())


def _configure(name: str, given: JobSettings, default: JobSpec | None, handlers: Collection[str]) -> JobSpec:
    base = _new_job(name, given) if default is None else default
    category, kind = given.category or base.job_category, given.type or base.job_type
    if "_" in category or handler_name(category, kind) not in handlers:
        allowed = ", ".join(" ".join(handler.split("_", 1)) for handler in sorted(handlers))
        raise InputError(
            f"setting jobs.{name}: category {category[:40]!r} with type {kind[:40]!r} is nothing that runs "
            f"here; there are {allowed}"
        )
    changed = {field: value for field in _SAME if (value := getattr(given, field)) is not None}
    return replace(
        base,
        job_category=category,
        job_type=kind,
        parameters={**base.parameters, **(given.parameters or {})},
        **changed,
        **_timing(name, given, base),
    )


def _new_job(name: str, given: JobSettings) -> JobSpec:
    if _NAME.fullmatch(name) is None:
        raise InputError(
            f"setting jobs.{name[:80]}: a job's name is a letter and at most 63 more letters, digits, _ or -"
        )
    if name.startswith(_TAKEN_PREFIX) or name in _TAKEN:
        raise InputError(
            f"setting jobs.{name}: names that begin with {_TAKEN_PREFIX}, and {', '.join(sorted(_TAKEN))}, "
            f"are taken; choose another"
        )
    if given.type is None or given.category is None:
        raise InputError(
            f"setting jobs.{name}: no default job has this name here (those of accounts exist where accounts "
            "are configured); a new one needs type and category"
        )
    return JobSpec(name, given.type, given.category, "")


def _timing(name: str, given: JobSettings, base: JobSpec) -> dict[str, Any]:
    """The columns of the schedule, as far as they change."""
    if given.every is not None:
        try:
            seconds = parse_every(given.every)
        except InputError as error:
            raise InputError(f"setting jobs.{name}.{error}") from error
        return {
            "schedule_type": INTERVAL,
            "schedule": None,
            "interval_seconds": seconds,
            "time_zone": None,
        }
    if given.cron is None and given.time_zone is None:
        return {}
    expression = base.schedule if given.cron is None else given.cron
    if expression is None:
        raise InputError(f"setting jobs.{name}.time_zone {given.time_zone!r} belongs to cron: name both")
    zone = base.time_zone if given.time_zone is None else given.time_zone
    try:
        schedule = parse_cron(expression, zone)
    except InputError as error:
        raise InputError(f"setting jobs.{name}.{error}") from error
    return {
        "schedule_type": CRON,
        "schedule": schedule.expression,
        "interval_seconds": None,
        "time_zone": zone,
    }
