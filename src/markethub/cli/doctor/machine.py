"""The machine: Python, packages, limits."""

import re
import resource
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from markethub.cli.doctor.finding import Finding, fail, ok, warn

_LEAST_PYTHON = (3, 11)
_LEAST_OPEN_FILES = 256
_GOOD_OPEN_FILES = 1024
# The form of every requirement in our pyproject.toml.
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.\-]+)(\[[\w,\- ]+\])?\s*>=\s*(?P<least>\d+(\.\d+)*)\s*(;(?P<marker>.*))?"
)


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


def _find_problems(requirement: str) -> Iterator[str]:
    match = _REQUIREMENT.fullmatch(requirement)
    if match is None:
        yield f"requirement {requirement!r} is not understood"
        return
    if "extra" in (match["marker"] or ""):
        return
    try:
        found = version(match["name"])
    except PackageNotFoundError:
        yield f"{match['name']} is missing"
        return
    if _release(found) < _release(match["least"]):
        yield f"{match['name']} {found} is older than {match['least']}"


def _release(text: str) -> tuple[int, ...]:
    """The numbers in front, without trailing zeros: 2.0 and 2.0.0rc1 are both (2,)."""
    numbers = [int(part) for part in re.findall(r"\d+", re.match(r"[\d.]*", text)[0])]  # type: ignore[index]  # * matches
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def check_open_files() -> Finding:
    """The soft limit on open files; connections, database and store all need some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _GOOD_OPEN_FILES:
        return ok("open files", f"at most {'any number' if soft == resource.RLIM_INFINITY else soft}")
    advice = f"raise it with `ulimit -n {_GOOD_OPEN_FILES}` (this account's bound is {hard})"
    if soft < _LEAST_OPEN_FILES:
        return fail("open files", f"at most {soft} is too few", advice)
    return warn("open files", f"at most {soft} is little for many connections", advice)
