"""Files that keep what a cleanup deletes."""

import asyncio
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.jobs.row_encoding import (
    AUDIT_COLUMNS,
    CHUNK_COLUMNS,
    EXECUTION_COLUMNS,
    LOG_COLUMNS,
    Columns,
    RowFormat,
    create_encoder,
)

_COLUMNS: Mapping[str, Columns] = {
    "executions": EXECUTION_COLUMNS,
    "chunks": CHUNK_COLUMNS,
    "logs": LOG_COLUMNS,
    "audit": AUDIT_COLUMNS,
}
_SUFFIXES = {RowFormat.JSONL: ".jsonl.zst", RowFormat.PARQUET: ".parquet"}


class RowFiles:
    """One new file for each kind of row, ``executions_20260115T020000Z_1f3a….jsonl.zst``, or none of them.

    They have their names only once they are whole and on the disk: what is still being written is called
    ``.….part``, and after a kill such a one may be deleted. To be used as an async context manager, and
    ended by ``keep``. StoreError for whatever the file system says.
    """

    def __init__(self, folder: Path, format_name: RowFormat, now_ms: int) -> None:
        self._folder = folder
        self._format = format_name
        moment = datetime.fromtimestamp(now_ms // 1000, UTC)
        # The random part keeps a second try from replacing what the first one kept and deleted.
        self._stamp = f"{moment:%Y%m%dT%H%M%SZ}_{secrets.token_hex(8)}"
        self._open: dict[str, _RowFile] = {}
        # A cancelled task leaves its thread behind, which may still be writing.
        self._lock = threading.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self._discard)

    async def write(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Add rows by kind."""
        await asyncio.to_thread(self._write, rows)

    async def keep(self) -> list[Path]:
        """Bring everything to the disk and give the files their names; return where they are."""
        return await asyncio.to_thread(self._keep)

    def _write(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        try:
            with self._lock:
                for kind, some in rows.items():
                    if some:
                        self._file(kind).write(some)
        except OSError as error:
            raise self._refusal(error) from error

    def _file(self, kind: str) -> "_RowFile":
        if kind not in self._open:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = f"{kind}_{self._stamp}{_SUFFIXES[self._format]}"
            self._open[kind] = _RowFile(self._folder / name, self._format, _COLUMNS[kind])
        return self._open[kind]

    def _keep(self) -> list[Path]:
        try:
            with self._lock:
                for file in self._open.values():
                    file.finish()
                kept = [file.keep() for file in self._open.values()]
                if kept:
                    _sync(self._folder)
                self._open = {}
        except OSError as error:
            raise self._refusal(error) from error
        return kept

    def _discard(self) -> None:
        try:
            with self._lock:
                for file in self._open.values():
                    file.discard()
                self._open = {}
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> StoreError:
        return StoreError(f"cannot export to {self._folder}: {error.strerror or error}; nothing was deleted")


class _RowFile:
    def __init__(self, path: Path, format_name: RowFormat, columns: Columns) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._encoder = create_encoder(format_name, columns)
        # only for the owner: parameters and log lines are in it
        os.close(os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._file = pa.OSFile(str(self._part), "wb")
        is_packed = format_name is RowFormat.JSONL  # Parquet packs its columns itself
        self._sink = pa.CompressedOutputStream(self._file, "zstd") if is_packed else self._file

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._sink.write(self._encoder.encode(rows))

    def finish(self) -> None:
        self._sink.write(self._encoder.finish())
        self._close()
        _sync(self._part)

    def keep(self) -> Path:
        self._part.rename(self._path)
        return self._path

    def discard(self) -> None:
        self._close()
        self._part.unlink(missing_ok=True)

    def _close(self) -> None:
        self._sink.close()
        self._file.close()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
