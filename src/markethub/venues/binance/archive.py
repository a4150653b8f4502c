"""Binance's bulk files of klines."""

import asyncio
from collections.abc import Sequence

from markethub.domain.errors import (
    ArchiveError,
    ArchiveMissingError,
    VenueProtocolError,
    VenueRefusedError,
)
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.venue import ArchivedBars, ArchiveFile
from markethub.venues.binance.archive_files import list_files, split_month
from markethub.venues.binance.archive_parse import largest_bytes, read_archive
from markethub.venues.binance.directory import Directory
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question

_CHECKSUM_BYTES = 4096


class BinanceArchive:
    """A KlineArchive. Source: README of Binance Public Data."""

    def __init__(self, caller: VenueCaller, directory: Directory) -> None:
        self._caller = caller
        self._directory = directory

    def files(self, series: Series, span: Span, now_ms: int) -> Sequence[ArchiveFile]:
        """Published months, then the published days of later ones (there are none before 2021-03)."""
        return list_files(series, span, now_ms)

    def split(self, file: ArchiveFile) -> Sequence[ArchiveFile]:
        return split_month(file)

    async def fetch(self, file: ArchiveFile) -> ArchivedBars:
        """Download the file and its checksum side by side, verify and parse in a thread.

        ArchiveMissingError when it is not published, ChecksumMismatchError and ArchiveError when it cannot be
        used; a file without a checksum cannot.
        """
        await self._directory.name(file.series.symbol)  # two pairs may share a folder: only one owns it
        # Both end before an error is raised: no download is left running behind the caller's back.
        zipped, checksum = await asyncio.gather(
            self._download(file.path, largest_bytes(file)),
            self._download(file.path + ".CHECKSUM", _CHECKSUM_BYTES),
            return_exceptions=True,
        )
        if isinstance(zipped, BaseException):
            raise zipped
        if isinstance(checksum, ArchiveMissingError):
            raise ArchiveError(f"{file.path}: published without a checksum") from checksum
        if isinstance(checksum, BaseException):
            raise checksum
        return await asyncio.to_thread(read_archive, file, zipped, checksum)

    async def _download(self, path: str, max_bytes: int) -> bytes:
        question = Question(path=path, weight=1, subject=path, max_bytes=max_bytes)
        try:
            return await self._caller.ask(question)
        except (VenueProtocolError, VenueRefusedError) as error:
            raise ArchiveError(str(error)) from error
