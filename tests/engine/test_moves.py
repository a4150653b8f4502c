import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.control.planning import check_move
from markethub.domain.errors import ConflictError, InputError
from markethub.domain.execution import LEGAL_MOVES, ExecutionStatus
from markethub.engine.moves import Ending, Move, Verdict, backoff_s, next_move
from markethub.engine.settings import EngineSettings

SETTINGS = EngineSettings(max_attempts=3, max_crashes=4, backoff_base_s=2.0, backoff_cap_s=60.0)


def move(ending: Ending, *, attempts: int = 0, crashes: int = 0, retry_after_s: float = 0.0) -> Move:
    return next_move(
        ending,
        attempts=attempts,
        crashes=crashes,
        error="away",
        retry_after_s=retry_after_s,
        settings=SETTINGS,
        chance=random.Random(1),
    )


def test_done_and_failed_are_final() -> None:
    assert move(Ending.DONE) == Move(Verdict.DONE, 1, 0)
    assert move(Ending.FAILED) == Move(Verdict.FAILED, 1, 0, error="away")


def test_a_lease_given_back_counts_as_nothing() -> None:
    assert move(Ending.RELEASED, attempts=2, crashes=1) == Move(Verdict.AGAIN, 2, 1)


def test_failures_worth_retrying_are_bounded_and_crashes_do_not_use_them_up() -> None:
    assert move(Ending.RETRY, attempts=1).verdict is Verdict.AGAIN
    assert move(Ending.RETRY, attempts=2) == Move(Verdict.FAILED, 3, 0, error="away (after 3 attempts)")
    assert move(Ending.RETRY, attempts=4, crashes=3).verdict is Verdict.AGAIN
    assert move(Ending.RETRY, attempts=5, crashes=3).error == "away (after 3 attempts)"


def test_crashes_have_their_own_bound() -> None:
    assert move(Ending.CRASHED, attempts=2, crashes=2).verdict is Verdict.AGAIN
    assert move(Ending.CRASHED, attempts=3, crashes=3) == Move(
        Verdict.FAILED, 4, 4, error="worker died 4 times"
    )


def test_no_retry_before_its_time() -> None:
    assert move(Ending.RETRY, retry_after_s=90.0).delay_ms == 90_000
    assert 1_000 <= move(Ending.RETRY, retry_after_s=0.5).delay_ms <= 2_000


@given(st.integers(1, 10_000), st.integers())
def test_backoff_doubles_up_to_the_cap_with_half_of_it_by_chance(tried: int, seed: int) -> None:
    full_s = min(60.0, 2.0 * 2.0 ** min(tried - 1, 10))
    assert full_s / 2 <= backoff_s(tried, SETTINGS, random.Random(seed)) <= full_s


@given(st.sampled_from(Ending), st.integers(0, 50), st.integers(0, 50))
def test_counts_never_fall(ending: Ending, failures: int, crashes: int) -> None:
    after = move(ending, attempts=failures + crashes, crashes=crashes)
    assert after.attempts >= failures + crashes
    assert after.crashes >= crashes
    assert after.delay_ms >= 0


@pytest.mark.parametrize("before", ExecutionStatus)
@pytest.mark.parametrize("after", ExecutionStatus)
def test_an_execution_moves_only_as_the_domain_allows(
    before: ExecutionStatus, after: ExecutionStatus
) -> None:
    if after in LEGAL_MOVES[before]:
        check_move(7, before, after)
    else:
        with pytest.raises(ConflictError, match="execution 7"):
            check_move(7, before, after)


@pytest.mark.parametrize(
    "wrong",
    [{"concurrency": 0}, {"lease_s": 0.0}, {"lease_s": float("nan")}, {"max_attempts": 0}, {"grace_s": -1.0}],
)
def test_settings_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        EngineSettings(**wrong)  # type: ignore[arg-type] # one field at a time
