"""The moment at which something without a time of its own was asked."""

from markethub.venues.transport.request import Question, Request, Signer, plain_request
from markethub.venues.transport.server_clock import ServerClock


class Stamp:
    """A Signer that notes when a request leaves: after its time in line, and anew when it is asked again.

    ``signer`` signs it; without one it is asked as by anyone.
    """

    def __init__(self, clock: ServerClock, signer: Signer | None = None) -> None:
        self._clock = clock
        self._signer = signer
        self._sent_ms: int | None = None

    @property
    def sent_ms(self) -> int:
        """A lower bound of the venue's clock when the last request was sent; only after one was."""
        if self._sent_ms is None:
            raise RuntimeError("nothing was sent under this stamp")
        return self._sent_ms

    async def prepare(self) -> None:
        await self._clock.known()
        if self._signer is not None:
            await self._signer.prepare()

    def sign(self, question: Question) -> Request:
        self._sent_ms = self._clock.bound_ms()
        return plain_request(question) if self._signer is None else self._signer.sign(question)

    async def resync(self) -> None:
        if self._signer is not None:
            await self._signer.resync()
