"""A slave at work: it follows its master for as long as it is one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.replication.follower import Mode, Verdict


@dataclass(frozen=True, slots=True)
class FollowingState:
    """How a slave stands; times in Unix milliseconds UTC, None where it has not come to pass yet.

    ``synced_ms`` is when it last had all that the master had, ``revision`` the master's revision up to which
    it has everything, ``newest`` the master's newest revision as last heard. ``error`` is why the last run
    failed, None after one that succeeded.
    """

    synced_ms: int | None
    revision: int | None
    newest: int | None
    verified_ms: int | None
    error: str | None


class Following(Protocol):
    """Pulls when woken, by timer, and when somebody asks; one run at a time."""

    @property
    def state(self) -> FollowingState: ...

    @property
    def copied_rows(self) -> Mapping[Mode, int]:
        """The rows that came since the process started."""

    async def start(self) -> None:
        """Begin to follow; returns at once."""

    async def drain(self) -> None:
        """Stop; what is half done is done again by the next start."""

    def wake(self) -> None:
        """Pull soon: the master has news."""

    async def request(self, symbol: Symbol | None, span: Span) -> int:
        """Pull now, then compare ``symbol`` (None: everything) with the master, and repair it.

        What differs is repaired in the months that ``span`` touches. Returns the rows that came. Goes on when
        the caller is cancelled. InputError if ``symbol`` is not followed; UnavailableError where the master
        does not answer, and on a node that does not follow.
        """

    def queue(self, symbol: Symbol | None, span: Span) -> None:
        """As ``request``, but nobody waits: a failure shows in ``state``."""

    async def verify(self) -> Verdict:
        """Pull, compare everything, repair what differs; errors as ``request``.

        What is compared is compared after the call: one that is under way already is not joined.
        """
