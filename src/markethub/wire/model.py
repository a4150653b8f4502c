"""The two bases of all wire models."""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    model_validator,
)

from markethub.domain.errors import InputError


class RequestModel(BaseModel):
    """What a caller sends; unknown fields are refused, since a misspelt filter would select everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def refuse_unknown_fields(cls, data: object) -> object:
        """Raise InputError that lists the known fields; pydantic's own message would not."""
        unknown = [name for name in data if name not in cls.model_fields] if isinstance(data, dict) else []
        if unknown:
            allowed = ", ".join(cls.model_fields)
            raise InputError(f"field {str(unknown[0])[:60]!r} is unknown; allowed are {allowed}")
        return data


class AnswerModel(BaseModel):
    """What we answer: every field is always there, null where there is no value."""

    model_config = ConfigDict(frozen=True)


def _refuse_nul(text: str) -> str:
    # PostgreSQL refuses NUL in text; no name or message we store has one, so nothing could match either.
    if "\x00" in text:
        raise ValueError("must not hold a NUL character")
    return text


def _read_whole(value: object) -> object:
    # JSON has one kind of number: 20.0 is as whole as 20, and some programs write nothing else.
    return int(value) if isinstance(value, float) and value.is_integer() else value


READ_WHOLE = BeforeValidator(_read_whole)
"""Stands behind the bounds of a strict whole number of a JSON body."""

SearchText = Annotated[str, StringConstraints(max_length=200), AfterValidator(_refuse_nul)]
"""A text to search for; an empty one is the same as none."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_refuse_nul)]
"""A short text of a caller: 1 to 200 characters, none of them NUL."""
