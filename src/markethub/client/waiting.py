"""How long to wait for an execution's end, and how often to look."""

import time

from markethub.client.answers import ExecutionDetailAnswer
from markethub.domain.errors import ExecutionFailedError, UnavailableError
from markethub.domain.execution import ExecutionStatus

_FIRST_DELAY_S = 0.05
_DELAY_GROWTH = 1.5
_LONGEST_DELAY_S = 2.0


class Patience:
    """Short looks first, since most backfills have little to do; long ones keep the server unbothered."""

    def __init__(self, trace_id: str | int, timeout_s: float | None) -> None:
        self._trace_id = trace_id
        self._timeout_s = timeout_s
        self._deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        self._delay_s = _FIRST_DELAY_S

    def delay_s_after(self, seen: ExecutionDetailAnswer) -> float | None:
        """Return the time until the next look, None once final; UnavailableError at the deadline."""
        if ExecutionStatus(seen["status"]).is_final:
            return None
        delay_s = self._delay_s
        self._delay_s = min(delay_s * _DELAY_GROWTH, _LONGEST_DELAY_S)
        if self._deadline_s is None:
            return delay_s
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise UnavailableError(
                f"execution {self._trace_id} is still {seen['status']} after {self._timeout_s} s; it goes on"
            )
        return min(delay_s, left_s)


def check_end(ended: ExecutionDetailAnswer) -> ExecutionDetailAnswer:
    """Return it as it is; ExecutionFailedError unless it ended as SUCCESS."""
    if ended["status"] != ExecutionStatus.SUCCESS:
        reason = ended["error"] or ended["status"]
        raise ExecutionFailedError(f"execution {ended['trace_id']} ended as {ended['status']}: {reason}")
    return ended
