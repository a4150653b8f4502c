"""In whose name a use case runs."""

import getpass
from contextvars import ContextVar
from functools import cache

from markethub.control.audit import Act, Caller

_caller: ContextVar[Caller | None] = ContextVar("markethub_caller", default=None)


def set_caller(caller: Caller) -> None:
    """Let ``caller`` answer for what the present task does from here on."""
    _caller.set(caller)


def current_caller() -> Caller:
    """Who asks for what runs now; outside of a request it is the user who runs this process."""
    return _caller.get() or local_caller()


def name_act(action: str) -> Act:
    """``action``, such as ``execution.cancel``, in the name of who asks for it now."""
    return Act(current_caller(), action)


@cache
def local_caller() -> Caller:
    """The user of the operating system who runs this process."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in some containers
        user = "unknown"
    return Caller(None, f"local:{user}", "local")
