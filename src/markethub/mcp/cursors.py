"""Where a tool's next answer goes on."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from markethub.domain.errors import InputError

_UNBOUND = frozenset({"cursor", "limit"})


@dataclass(frozen=True, slots=True)
class Cursor:
    """The next answer is that of the same call with ``argument`` set to ``value``.

    ``call`` stands for the tool and its other arguments: a cursor is of no use to another call. It is no
    secret and guards nothing; what it sets is checked like any argument.
    """

    call: str
    argument: str
    value: int | str

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read what ``str`` wrote; InputError if it is anything else."""
        try:
            padded = str(text).encode("ascii") + b"=" * (-len(str(text)) % 4)
            found = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except ValueError as error:
            raise _not_a_cursor(text) from error
        match found:
            case [str(call), str(argument), int(value) | str(value)]:
                return cls(call, argument, value)
        raise _not_a_cursor(text)

    def __str__(self) -> str:
        content = orjson.dumps([self.call, self.argument, self.value])
        return base64.urlsafe_b64encode(content).decode().rstrip("=")


def identify_call(tool: str, arguments: Mapping[str, Any]) -> str:
    """A short name of the call; cursor and limit do not count. InputError for text that is not Unicode."""
    named = {name: value for name, value in arguments.items() if name not in _UNBOUND and value is not None}
    try:
        content = orjson.dumps([tool, named], option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise InputError(f"arguments cannot be written as JSON: {error}") from error
    return hashlib.sha256(content).hexdigest()[:8]


def _not_a_cursor(text: object) -> InputError:
    return InputError(f"cursor {repr(text)[:60]} is not the next_cursor of an earlier answer")
