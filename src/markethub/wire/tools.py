"""Tools for AI models, as function calling describes them."""

from typing import Any, Literal

from markethub.wire.model import AnswerModel


class FunctionDescription(AnswerModel):
    """A tool's name, what it does, and the JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


class FunctionTool(AnswerModel):
    """One tool: ``{"type": "function", "function": {...}}``."""

    type: Literal["function"]
    function: FunctionDescription


class ToolList(AnswerModel):
    """Every tool."""

    data: list[FunctionTool]
