"""What the event stream of an execution tells; the names of the events are ``progress``, ``log``, ``end``."""

from markethub.wire.executions import ChunkProgress, Execution


class ExecutionProgress(Execution):
    """The data of ``progress`` and ``end``: an execution with its progress; ``counters`` are the sums so far
    of what its chunks did."""

    chunks: ChunkProgress
    counters: dict[str, int]
