"""The machine: Python, packages, limits."""

import resource
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from markethub.cli.doctor.finding import Finding, fail, ok, warn

_LEAST_PYTHON = (3, 11)
_LEAST_OPEN_FILES = 256
_GOOD_OPEN_FILES = 1024


def check_python() -> Finding:
    """The interpreter's version."""
    running = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < _LEAST_PYTHON:
        return fail("python", f"{running} is too old", "install Python 3.11 or later")
    return ok("python", f"{running} at {sys.executable}")


def check_packages() -> Finding:
    """Every required package is there in a version that the requirements allow."""
    try:
        own = version("markethub")
        required = requires("markethub") or []
    except PackageNotFoundError:
        return fail("packages", "markethub itself is not installed", "run `pip install -e .` in its folder")
    wrong = [problem for text in required for problem in _find_problems(text)]
    if wrong:
        return fail("packages", "; ".join(wrong), "run `make install`, or pip install with constraints.txt")
    return ok("packages", f"markethub {own} and everything it requires")


def _find_problems(text: str) -> Iterator[str]:
    requirement = Requirement(text)
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        yield f"{requirement.name} is missing"
        return
    if not requirement.specifier.contains(found, prereleases=True):
        yield f"{requirement.name} {found} is not {requirement.specifier}"


def check_open_files() -> Finding:
    """The soft limit on open files; connections, database and store all need some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _GOOD_OPEN_FILES:
        return ok("open files", f"at most {'any number' if soft == resource.RLIM_INFINITY else soft}")
    advice = f"raise it with `ulimit -n {_GOOD_OPEN_FILES}` (this account's bound is {hard})"
    if soft < _LEAST_OPEN_FILES:
        return fail("open files", f"at most {soft} is too few", advice)
    return warn("open files", f"at most {soft} is little for many connections", advice)
