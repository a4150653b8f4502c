"""Every job of a fresh hub, and every pair of category and type that a job may have."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from markethub.app import JOBS
from markethub.control.jobs import JobSpec, handler_name
from markethub.domain.support import ACCOUNT_KINDS, SUPPORT
from markethub.domain.symbol import Account
from markethub.jobs.default_jobs import default_jobs
from markethub.jobs.job_parameters import HANDLER_WORDS, PARAMETER_WORDS, PARAMETERS
from markethub.jobs.task_parameters import EXAMPLES
from tools.reference.markdown import Gaps, code, meaning, page, table

_INTRODUCTION = """\
A job is what can be executed, by its name. Its category and type say what runs it. How to change the default
jobs, and to add others: [schedule jobs](../how-to/schedule.md); the fields of a job:
[settings](settings.md#jobsname)."""

_DEFAULTS = """\
Of a fresh hub, unless `scheduler.default_jobs` is false. All work on what is
[subscribed to](../how-to/subscribe.md) and on the accounts that are [configured](../how-to/accounts.md); one
that finds nothing to do ends as SUCCESS and says so. Schedules are in UTC."""

_ACCOUNTS = """\
Only where an account is configured on an exchange that has such data."""

_ON_REQUEST = """\
Run by `POST /api/v1/backfill/...` and never by a schedule; their names cannot be given to other jobs."""

_PAIRS = """\
For `[jobs.NAME]`. Every parameter may be left out."""


_TASKS = """\
Jobs of category `sync` and type `kline` are the tasks of the [DMS API](routes.md). Of stocks there are none
by default, since it has to be said which; these are examples for the configuration."""


def list_handlers() -> list[str]:
    """What runs jobs, by category and type: those with parameters first, then the backfills."""
    return [*PARAMETERS, *(handler_name(job.job_category, job.job_type) for job in JOBS)]


def write_jobs(gaps: Gaps) -> str:
    """Return the page."""
    always = default_jobs([])
    everywhere = [
        Account(venue, "NAME") for venue, kinds in SUPPORT.items() if set(kinds) & set(ACCOUNT_KINDS)
    ]
    of_accounts = [job for job in default_jobs(everywhere) if job.name not in {one.name for one in always}]
    columns = ("job", "schedule", "ends after", "parameters", "what it does")
    return page(
        "Jobs",
        _INTRODUCTION,
        "## Default jobs",
        _DEFAULTS,
        table(columns, _describe(always, gaps)),
        "## Default jobs of accounts",
        _ACCOUNTS,
        table(columns, _describe(of_accounts, gaps)),
        "## Jobs on request",
        _ON_REQUEST,
        table(
            ("job", "category", "type", "what it does"),
            ((code(job.name), code(job.job_category), code(job.job_type), _words(job, gaps)) for job in JOBS),
        ),
        "## Categories and types",
        _PAIRS,
        table(("category", "type", "what it does", "parameters"), _describe_pairs(gaps)),
        "## Parameters",
        table(("parameter", "meaning"), _describe_parameters(gaps)),
        "## Tasks of stocks",
        _TASKS,
        f"```toml\n{EXAMPLES.strip()}\n```",
    )


def _describe(jobs: Iterable[JobSpec], gaps: Gaps) -> Iterator[tuple[str, ...]]:
    for job in jobs:
        yield (
            code(job.name),
            code(job.schedule or f"every {job.interval_seconds} s") + ("" if job.enabled else ", disabled"),
            "" if job.timeout_seconds is None else f"{job.timeout_seconds // 60} min",
            _spell(job.parameters),
            _words(job, gaps),
        )


def _words(job: JobSpec, gaps: Gaps) -> str:
    return meaning(job.description, f"job {job.name}", gaps)


def _spell(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name} = {orjson.dumps(value).decode()}`" for name, value in parameters.items())


def _describe_pairs(gaps: Gaps) -> Iterator[tuple[str, ...]]:
    for handler, parameters in PARAMETERS.items():
        category, _, job_type = handler.partition("_")
        words = meaning(HANDLER_WORDS.get(handler), f"category {category} with type {job_type}", gaps)
        yield code(category), code(job_type), words, ", ".join(code(name) for name in parameters)


def _describe_parameters(gaps: Gaps) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys(name for parameters in PARAMETERS.values() for name in parameters):
        yield code(name), meaning(PARAMETER_WORDS.get(name), f"parameter {name} of jobs", gaps)
