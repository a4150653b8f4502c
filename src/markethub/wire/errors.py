"""The shapes of error answers: one under `/api/dms`, one everywhere else."""

from markethub.wire.model import AnswerModel


class ErrorBody(AnswerModel):
    """``code`` is stable and for programs, ``message`` is for people."""

    code: str
    message: str


class ErrorEnvelope(AnswerModel):
    """``{"error": {"code": ..., "message": ...}}``."""

    error: ErrorBody


class DetailError(AnswerModel):
    """``{"detail": ...}``, which is for people; programs go by the status."""

    detail: str
