"""The one shape of every error answer."""

from markethub.wire.model import AnswerModel


class ErrorBody(AnswerModel):
    """``code`` is stable and for programs, ``message`` is for people."""

    code: str
    message: str


class ErrorEnvelope(AnswerModel):
    """``{"error": {"code": ..., "message": ...}}``."""

    error: ErrorBody
