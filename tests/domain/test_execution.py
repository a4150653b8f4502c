"""Statuses and trace ids."""

import re

from markethub.domain.execution import LEGAL_MOVES, ExecutionStatus, new_trace_id


def test_final_statuses_move_nowhere_and_others_somewhere() -> None:
    assert set(LEGAL_MOVES) == set(ExecutionStatus)
    for status, targets in LEGAL_MOVES.items():
        assert status.is_final == (not targets)
        assert status not in targets


def test_every_final_status_can_be_reached_from_running() -> None:
    assert {status for status in ExecutionStatus if status.is_final} == LEGAL_MOVES[ExecutionStatus.RUNNING]


def test_trace_ids_have_the_contracts_form_and_differ() -> None:
    ids = {new_trace_id("backfill_kline") for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch(r"backfill_kline_[a-z0-9]{8}", trace_id) for trace_id in ids)
