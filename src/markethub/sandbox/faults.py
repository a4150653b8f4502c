"""Things that go wrong on purpose, so that a client can be seen to cope: which, where, and how often."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from markethub.domain.errors import InputError
from markethub.sandbox.fault_effects import EFFECTS, Hit

STOPPING: Final = web.AppKey("STOPPING", asyncio.Event)
"""Set when the server begins to stop, so that hanging replies end."""

_DEFAULT_SEED: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to requests whose path starts with ``path`` and whose query has ``query`` in it.

    Of these the first ``skip`` pass; then one in ``1 / rate`` is hit, chosen by the plan's seed, until
    ``times`` were (0: for ever). ``status`` and ``retry_after_s`` are for the kinds ``status`` and
    ``html``, ``delay_ms`` for ``delay``, ``skew_ms`` for ``clock_skew``; ``row_ms`` names the row that a
    row's fault is about, where it shall not be the middle one of the page.
    """

    path: str
    kind: str
    times: int = 1
    skip: int = 0
    rate: float = 1.0
    query: str = ""
    status: int = 503
    retry_after_s: int | None = None
    delay_ms: int = 1000
    skew_ms: int = 60_000
    row_ms: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in EFFECTS:
            raise InputError(f"fault kind {self.kind!r} is not one of {', '.join(EFFECTS)}")
        if not self.path.startswith("/"):
            raise InputError(f"fault path {self.path!r} does not start with /")
        for name, low, high in (("times", 0, 10**9), ("skip", 0, 10**9), ("delay_ms", 0, 600_000)):
            if not low <= getattr(self, name) <= high:
                raise InputError(f"fault {name} {getattr(self, name)} is not between {low} and {high}")
        if not 0 < self.rate <= 1:
            raise InputError(f"fault rate {self.rate} is not above 0 and at most 1")
        if not 400 <= self.status <= 599:
            raise InputError(f"fault status {self.status} is not between 400 and 599")


@dataclass(slots=True)
class _Entry:
    """A fault in force. ``met`` requests were its business, ``hit`` of them it spoiled."""

    fault: Fault
    seed: str
    met: int = 0
    hit: int = 0

    def takes(self, request: web.Request) -> bool:
        fault = self.fault
        if not request.path.startswith(fault.path) or fault.query not in request.query_string:
            return False
        number, self.met = self.met, self.met + 1
        if number < fault.skip or (fault.times and self.hit >= fault.times):
            return False
        # A request's fate hangs on its number alone: the same plan hits the same requests every time.
        digest = hashlib.blake2b(f"{self.seed}/{number}".encode(), digest_size=8).digest()
        if int.from_bytes(digest) >= fault.rate * 2**64:
            return False
        self.hit += 1
        return True


@dataclass(slots=True)
class FaultPlan:
    """The faults in force; the first that takes a request spoils its reply."""

    _entries: list[_Entry] = field(default_factory=list)
    _pages: dict[str, bytes] = field(default_factory=dict)

    def extend(self, plan: object) -> None:
        """Add a plan: ``{"seed": 7, "faults": [...]}`` or the list alone, its objects with `Fault`'s fields.

        InputError, and none is added, if anything is wrong with it.
        """
        entries, seed = _open_plan(plan)
        faults = [_read_fault(entry) for entry in entries]
        base = len(self._entries)
        self._entries += [_Entry(fault, f"{seed}/{base + index}") for index, fault in enumerate(faults)]

    def load(self, path: Path) -> None:
        """Add the plan in a JSON file; InputError if it cannot be read."""
        try:
            self.extend(orjson.loads(path.read_bytes()))
        except (OSError, orjson.JSONDecodeError) as error:
            raise InputError(f"fault plan {path}: {error}") from error

    def clear(self) -> None:
        self._entries.clear()
        self._pages.clear()

    def describe(self) -> list[dict[str, object]]:
        """Every fault that is not used up, with the requests it has met and hit."""
        return [
            {item.name: getattr(entry.fault, item.name) for item in fields(Fault)}
            | {"met": entry.met, "hit": entry.hit}
            for entry in self._entries
            if not entry.fault.times or entry.hit < entry.fault.times
        ]

    def take(self, request: web.Request) -> Fault | None:
        """The fault for this request, if one takes it; every other one has met it all the same."""
        taken = [entry.fault for entry in self._entries if entry.takes(request)]
        return taken[0] if taken else None

    def middleware(self) -> Middleware:
        @web.middleware
        async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith("/sandbox/") or not self._entries:
                return await handler(request)
            fault = self.take(request)
            hit = Hit(fault, request, handler, self._pages, request.config_dict[STOPPING])
            return await (EFFECTS[fault.kind](hit) if fault is not None else hit.reply_and_remember())

        return spoil


def _open_plan(plan: object) -> tuple[list[object], int]:
    match plan:
        case list():
            return plan, _DEFAULT_SEED
        case {"faults": list(entries), **rest} if set(rest) <= {"seed"}:
            seed = rest.get("seed", _DEFAULT_SEED)
            if isinstance(seed, int) and not isinstance(seed, bool):
                return entries, seed
            raise InputError(f"seed {str(seed)[:40]!r} of the fault plan is not a whole number")
    raise InputError('faults must be a JSON list, or {"seed": 7, "faults": [...]}')


_TEXTS: Final = ("path", "kind", "query")


def _read_fault(entry: object) -> Fault:
    if not isinstance(entry, Mapping):
        raise InputError(f"fault {str(entry)[:80]!r} is not an object")
    known = [item.name for item in fields(Fault)]
    values: dict[str, Any] = {}
    for name, value in entry.items():
        if name not in known:
            raise InputError(f"fault field {str(name)[:40]!r} is not one of {', '.join(known)}")
        wanted = str if name in _TEXTS else (int | float if name == "rate" else int)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise InputError(f"fault field {name} must be {'text' if name in _TEXTS else 'a number'}")
        values[name] = value
    for name in ("path", "kind"):
        if name not in values:
            raise InputError(f"fault has no {name}")
    return Fault(**values)
