"""The configuration's jobs over the default ones."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from markethub.app import JOBS
from markethub.config import JobSettings
from markethub.control.jobs import JobSpec, handler_name
from markethub.domain.errors import InputError
from markethub.domain.symbol import Account
from markethub.engine.schedules import read_schedule
from markethub.job_book import configure_jobs
from markethub.jobs.default_jobs import default_jobs
from markethub.jobs.job_parameters import PARAMETERS, check_parameters

HANDLERS = ("sync_kline", "sync_symbol", "monitor_gap")
DEFAULT = JobSpec(
    "sync_klines_1h",
    "kline",
    "sync",
    "Sync 1-hour klines",
    schedule_type="cron",
    schedule="0 * * * *",
    parameters={"intervals": ["1h"], "exchanges": ["BNC"]},
    timeout_seconds=300,
)


def configure(jobs: Mapping[str, Mapping[str, Any]], *, all_defaults: bool = True) -> dict[str, JobSpec]:
    settings = {name: JobSettings.model_validate(given) for name, given in jobs.items()}
    made = configure_jobs(settings, [DEFAULT], HANDLERS, check_parameters, all_defaults=all_defaults)
    return {spec.name: spec for spec in made}


def test_without_a_word_the_defaults_are_there() -> None:
    assert configure({}) == {"sync_klines_1h": DEFAULT}
    assert configure({}, all_defaults=False) == {}
    assert configure({"sync_klines_1h": {}}, all_defaults=False) == {"sync_klines_1h": DEFAULT}


def test_a_default_job_is_changed_where_something_is_given() -> None:
    changed = configure(
        {
            "sync_klines_1h": {
                "enabled": False,
                "timeout_seconds": 60,
                "max_instances": 2,
                "misfire_grace_seconds": 5,
                "catch_up": False,
                "description": "mine",
                "parameters": {"intervals": ["4h"], "recheck_bars": 5},
            }
        }
    )["sync_klines_1h"]
    assert changed.parameters == {"intervals": ["4h"], "exchanges": ["BNC"], "recheck_bars": 5}
    assert (changed.enabled, changed.timeout_seconds, changed.max_instances) == (False, 60, 2)
    assert (changed.misfire_grace_seconds, changed.catch_up, changed.description) == (5, False, "mine")
    assert (changed.schedule_type, changed.schedule) == ("cron", "0 * * * *")


@pytest.mark.parametrize(
    ("given", "timing"),
    [
        ({"every": "15m"}, ("interval", None, 900, None)),
        ({"cron": " 5  * * * * "}, ("cron", "5 * * * *", None, None)),
        ({"cron": "5 * * * *", "time_zone": "Asia/Tokyo"}, ("cron", "5 * * * *", None, "Asia/Tokyo")),
        ({"time_zone": "Asia/Tokyo"}, ("cron", "0 * * * *", None, "Asia/Tokyo")),
    ],
)
def test_a_schedule_replaces_the_one_before(given: dict[str, str], timing: tuple[object, ...]) -> None:
    made = configure({"sync_klines_1h": given})["sync_klines_1h"]
    assert (made.schedule_type, made.schedule, made.interval_seconds, made.time_zone) == timing


def test_a_job_of_ones_own() -> None:
    made = configure({"mine": {"type": "symbol", "category": "sync", "every": "1d"}})
    assert list(made) == ["sync_klines_1h", "mine"]
    assert made["mine"] == JobSpec(
        "mine", "symbol", "sync", "", schedule_type="interval", interval_seconds=86_400
    )
    assert configure({"quiet": {"type": "gap", "category": "monitor"}})["quiet"].schedule_type is None


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("mine", {"cron": "0 * * * *"}, "jobs.mine: no default job has this name .* needs type and category"),
        ("7", {"type": "kline", "category": "sync"}, "jobs.7: a job's name is a letter and"),
        ("a b", {"type": "kline", "category": "sync"}, "jobs.a b: a job's name is"),
        ("a" * 65, {"type": "kline", "category": "sync"}, "a job's name is"),
        ("backfill_mine", {"type": "kline", "category": "sync"}, "jobs.backfill_mine: names that begin with"),
        ("executions", {"type": "kline", "category": "sync"}, "jobs.executions: names .* are taken"),
        (
            "mine",
            {"type": "balance", "category": "sync"},
            "'sync' with type 'balance' .* there are monitor gap",
        ),
        ("mine", {"type": "b", "category": "a_"}, "'a_' with type 'b'"),
        (
            "sync_klines_1h",
            {"cron": "61 * * * *"},
            r"jobs\.sync_klines_1h\.cron '61 \* \* \* \*': bad minute",
        ),
        ("sync_klines_1h", {"every": "5"}, r"jobs\.sync_klines_1h\.every '5' is not a length such as"),
        ("sync_klines_1h", {"time_zone": "Mars"}, r"jobs\.sync_klines_1h\.time_zone 'Mars' is not an IANA"),
        ("mine", {"type": "gap", "category": "monitor", "time_zone": "UTC"}, "belongs to cron: name both"),
        ("sync_klines_1h", {"parameters": {"interval": "1h"}}, "parameters: parameter 'interval' is unknown"),
        ("sync_klines_1h", {"parameters": {"exchanges": ["XXX"]}}, "sync_klines_1h.parameters: .*'XXX'"),
    ],
)
def test_mistakes_name_the_setting_and_what_is_allowed(name: str, given: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=f"^setting .*{told}"):
        configure({name: given})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"cron": "0 * * * *", "every": "1h"}, "at most one of cron and every"),
        ({"every": "1h", "time_zone": "UTC"}, "time_zone belongs to cron"),
        ({"max_instances": 0}, "greater than or equal to 1"),
        ({"misfire_grace_seconds": -1}, "greater than or equal to 0"),
        ({"schedule": "0 * * * *"}, "schedule"),
    ],
)
def test_what_no_job_can_say(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        JobSettings.model_validate(given)


def test_our_own_jobs_are_right() -> None:
    made = [*JOBS, *default_jobs([Account("OKX", "MM01"), Account("BNC", "MM01")])]
    assert len({spec.name for spec in made}) == len(made)
    for spec in made:
        read_schedule(spec)
        if spec.schedule_type is not None:
            handler = handler_name(spec.job_category, spec.job_type)
            assert handler in PARAMETERS
            check_parameters(handler, spec.parameters)
