"""Gate's bulk files of klines."""

import asyncio
from collections.abc import Sequence
from urllib.parse import quote

from markethub.domain.errors import ArchiveError, VenueProtocolError, VenueRefusedError
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.venue import ArchivedBars, ArchiveFile
from markethub.venues.gate.archive_files import list_files, split_month
from markethub.venues.gate.archive_parse import largest_bytes, read_archive
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question


class GateArchive:
    """A KlineArchive, for bars older than the last 10,000, which REST does not tell any more.

    Source: "How to Download Historical Data" of the venue's help pages, for the addresses alone. Could not be
    confirmed: the columns and the unit of their one volume (hence the option ``bulk_volume``), when files are
    published, how far back they go, and whether bars without a trade are in them. There is no checksum: the
    sha256 that a claim records tells which file was read, not that it arrived whole; gzip's own CRC does.
    """

    def __init__(self, caller: VenueCaller) -> None:
        self._caller = caller

    def files(self, series: Series, span: Span, now_ms: int) -> Sequence[ArchiveFile]:
        """Past months, then the past days of the present one, of the intervals that have files."""
        return list_files(series, span, now_ms)

    def split(self, file: ArchiveFile) -> Sequence[ArchiveFile]:
        return split_month(file)

    async def close(self) -> None:
        await self._caller.close()

    async def fetch(self, file: ArchiveFile) -> ArchivedBars:
        """Download, then unpack and parse in a thread.

        ArchiveMissingError when it is not published, ArchiveError when it cannot be used.
        """
        question = Question(
            path=quote(file.path),  # names of pairs may be Chinese
            weight=1,
            subject=file.path,
            max_bytes=largest_bytes(file),
        )
        try:
            packed = await self._caller.ask(question)
        except (VenueProtocolError, VenueRefusedError) as error:
            raise ArchiveError(str(error)) from error
        return await asyncio.to_thread(read_archive, file, packed)
