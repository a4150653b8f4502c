"""The line in front of a gate: who goes next."""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

from markethub.ports.budget import Asker

_FRESH_PER_HISTORY = 9
"""While fresh work never ends, history gets one part of the weight for so many of it."""

Ticket = TypeVar("Ticket")


@dataclass(slots=True, eq=False)
class Waiter(Generic[Ticket]):
    """One request in the line; ``admitted`` ends with what it may go with, or with why it may not."""

    asker: Asker
    weight: int
    patience_s: float
    admitted: "asyncio.Future[Ticket]"


class Line(Generic[Ticket]):
    """Requests in the order in which they may go: fresh work first, and among equals the asker that was
    served the least weight since others wait with it.

    Within an asker it is first come, first served. History waits behind fresh work, but never for ever: it
    gets a tenth of the weight. Joining and serving cost the logarithm of the number of askers, however many
    requests each of them has waiting; leaving costs the same for all. What an asker was served is remembered
    for as long as anyone of its kind waits.
    """

    def __init__(self) -> None:
        self._fresh = _Turns[Ticket]()
        self._history = _Turns[Ticket]()
        self._passed_over = 0
        self.weight = 0
        """Of all that wait."""

    def __len__(self) -> int:
        return self._fresh.length + self._history.length

    def __iter__(self) -> Iterator[Waiter[Ticket]]:
        yield from self._fresh.waiters()
        yield from self._history.waiters()

    def join(self, waiter: Waiter[Ticket]) -> None:
        self._turns_of(waiter).join(waiter)
        self.weight += waiter.weight

    def leave(self, waiter: Waiter[Ticket]) -> None:
        """Take a waiter out, wherever it stands; nothing happens if it is not there."""
        if self._turns_of(waiter).leave(waiter):
            self.weight -= waiter.weight

    def first(self) -> Waiter[Ticket]:
        """Whose turn it is, of a line that is not empty; asked again later, it may be someone else's."""
        if not self._history.length:
            return self._fresh.first()
        if not self._fresh.length:
            return self._history.first()
        head = self._history.first()
        return head if self._passed_over >= _FRESH_PER_HISTORY * head.weight else self._fresh.first()

    def serve(self) -> Waiter[Ticket]:
        """Take out whose turn it is, and count it as served."""
        waiter = self.first()
        self._turns_of(waiter).serve()
        self.weight -= waiter.weight
        if not waiter.asker.is_fresh:
            self._passed_over = max(self._passed_over - _FRESH_PER_HISTORY * waiter.weight, 0)
        elif self._history.length:
            self._passed_over += waiter.weight
        else:
            self._passed_over = 0
        return waiter

    def _turns_of(self, waiter: Waiter[Ticket]) -> "_Turns[Ticket]":
        return self._fresh if waiter.asker.is_fresh else self._history


@dataclass(slots=True, eq=False)
class _Asking(Generic[Ticket]):
    """One asker's waiting requests, in order, and the served weight at which its next one starts."""

    starts_at: int
    waiters: "OrderedDict[Waiter[Ticket], None]" = field(default_factory=OrderedDict)


class _Turns(Generic[Ticket]):
    """Start-time fair queueing: askers ordered by served weight; newcomers begin where the others are."""

    def __init__(self) -> None:
        self.length = 0
        self._askings: dict[str, _Asking[Ticket]] = {}
        # Askings with nobody waiting stay until they come to the top: a return does not forgive what was had.
        self._order: list[tuple[int, int, str]] = []
        self._tickets = count()
        self._served = 0

    def waiters(self) -> Iterator[Waiter[Ticket]]:
        for asking in self._askings.values():
            yield from asking.waiters

    def join(self, waiter: Waiter[Ticket]) -> None:
        name = waiter.asker.name
        asking = self._askings.get(name)
        if asking is None:
            asking = self._askings[name] = _Asking(self._served)
            heapq.heappush(self._order, (asking.starts_at, next(self._tickets), name))
        asking.waiters[waiter] = None
        self.length += 1

    def leave(self, waiter: Waiter[Ticket]) -> bool:
        asking = self._askings.get(waiter.asker.name)
        if asking is None or waiter not in asking.waiters:
            return False
        del asking.waiters[waiter]
        self._one_less()
        return True

    def first(self) -> Waiter[Ticket]:
        while not (asking := self._askings[self._order[0][2]]).waiters:
            del self._askings[heapq.heappop(self._order)[2]]
        return next(iter(asking.waiters))

    def serve(self) -> None:
        waiter = self.first()
        name = waiter.asker.name
        asking = self._askings[name]
        del asking.waiters[waiter]
        self._served = asking.starts_at
        asking.starts_at += waiter.weight
        heapq.heapreplace(self._order, (asking.starts_at, next(self._tickets), name))
        self._one_less()

    def _one_less(self) -> None:
        self.length -= 1
        if not self.length:
            self._askings.clear()
            self._order.clear()
            self._served = 0
