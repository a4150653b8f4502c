"""OKX's bulk files of klines."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from markethub.domain.errors import ArchiveError, ArchiveMissingError, VenueProtocolError, VenueRefusedError
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.venue import ArchivedBars, ArchiveFile
from markethub.venues.okx.archive_files import file_name, list_files
from markethub.venues.okx.archive_index import ArchiveIndex
from markethub.venues.okx.archive_parse import largest_bytes, read_archive
from markethub.venues.okx.errors import BULK_FAULTS
from markethub.venues.okx.names import CODE
from markethub.venues.okx.options import OkxOptions
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import RetryPolicy, VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.session import Timeouts, VenueSession

_CONNECT_S = 10.0
_DOWNLOAD_S = 600.0


class OkxArchive:
    """A KlineArchive of one-minute bars.

    Source: "Get historical market data" of the OKX API v5 guide, for the index, the day boundary and when
    files are out. Could not be confirmed: the names of files, their columns (all from others who have read
    some), since when there are any, and what ``confirm`` means in them. There is no checksum: the sha256 that
    a claim records tells which file was read, not that it arrived whole; the zip's own CRC does.
    """

    def __init__(self, index: ArchiveIndex, hosts: Mapping[str, VenueCaller]) -> None:
        """``hosts`` are the callers by scheme and host; no other is ever asked, whatever the index says."""
        self._index = index
        self._hosts = hosts

    def files(self, series: Series, span: Span, now_ms: int) -> Sequence[ArchiveFile]:
        """The past days of UTC+8, from 16:00 to 16:00 UTC; only minutes have files."""
        return list_files(series, span, now_ms)

    def split(self, file: ArchiveFile) -> Sequence[ArchiveFile]:  # noqa: ARG002
        """There is nothing smaller than a day."""
        return ()

    async def fetch(self, file: ArchiveFile) -> ArchivedBars:
        """Look the file's address up, download it, then unpack and parse in a thread.

        ArchiveMissingError when the index does not have it, ArchiveError when it cannot be used or lies on a
        host that is not allowed.
        """
        try:
            addresses = await self._index.addresses(file)
            url = addresses.get(file_name(file))
            if url is None:
                raise ArchiveMissingError(f"{file.path}: not in the index of bulk files")
            caller, target = self._find_host(file, url)
            packed = await caller.ask(
                Question(path=target, weight=1, subject=file.path, max_bytes=largest_bytes(file))
            )
        except (VenueProtocolError, VenueRefusedError) as error:
            raise ArchiveError(str(error)) from error
        return await asyncio.to_thread(read_archive, file, packed)

    async def close(self) -> None:
        for caller in self._hosts.values():
            await caller.close()

    def _find_host(self, file: ArchiveFile, url: str) -> tuple[VenueCaller, str]:
        host, target = split_url(url)
        if host not in self._hosts or target is None:
            raise ArchiveError(
                f"{file.path}: its address {url[:200]!r} is not on {' or '.join(self._hosts)}; if it should "
                "be, set the option bulk_url"
            )
        return self._hosts[host], target


def open_archive(index: VenueCaller, options: OkxOptions, budget: WeightBudget) -> OkxArchive:
    """The archive as the options say; ``index`` asks the endpoint of the index, ``budget`` is the files'."""
    connect_s = min(_CONNECT_S, options.request_timeout_s)
    # A file may take its time as long as it keeps coming.
    times = Timeouts(connect_s, options.request_timeout_s, _DOWNLOAD_S)
    policy = RetryPolicy(quick_retries=options.quick_retries, patience_s=options.patience_s)
    hosts: dict[str, VenueCaller] = {}
    for url in (options.bulk_url, options.base_url):
        host, _ = split_url(url)
        if host not in hosts:
            session = VenueSession(CODE, host, times, compressed=False)
            hosts[host] = VenueCaller(session, budget, BULK_FAULTS, policy)
    return OkxArchive(ArchiveIndex(index), hosts)


def split_url(url: str) -> tuple[str, str | None]:
    """``https://host:port`` and what to ask there; None for the latter where it cannot be sent as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", None
    host = f"{parts.scheme}://{parts.netloc}".lower()
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    is_plain = target.startswith("/") and target.isascii() and target.isprintable() and " " not in target
    return host, target if is_plain and not parts.fragment else None
