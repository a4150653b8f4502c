"""Run benchmarks and print their tables: ``python -m benchmarks [NAME ...]``, all of them without a name."""

import importlib
import importlib.metadata
import os
import pkgutil
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.report import Row, format_table

_LIBRARIES = ("duckdb", "pyarrow", "arcticdb", "ccxt", "aiohttp")


def main(names: Sequence[str]) -> None:
    """Run the benchmarks named; SystemExit if there is no such one."""
    known = _find_benchmarks()
    for name in names:
        if name not in known:
            sys.exit(f"no benchmark {name!r}; there are {', '.join(known)}")
    print(describe_machine())
    for name in names or known:
        start_s = time.perf_counter()
        rows = known[name]()
        print(f"\n## {name} ({time.perf_counter() - start_s:.0f} s)\n\n{format_table(rows)}", flush=True)


def describe_machine() -> str:
    """One line about where and with what it was measured."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    memory_gib = psutil.virtual_memory().total / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} processors, {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {versions}. "
        "Medians; ratios count, absolute values depend on the machine."
    )


def _find_benchmarks() -> dict[str, Callable[[], Sequence[Row]]]:
    """``run`` of each module of this folder that has one, by the module's name."""
    found = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name != "__main__":
            run = getattr(importlib.import_module(f"benchmarks.{module.name}"), "run", None)
            if run is not None:
                found[module.name] = run
    return found


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown processor"


if __name__ == "__main__":
    main(sys.argv[1:])
