"""Whether this process can serve."""

from markethub.wire.model import AnswerModel


class HealthReport(AnswerModel):
    """``ready`` with no problems, or what stands in the way."""

    ready: bool
    problems: list[str]
