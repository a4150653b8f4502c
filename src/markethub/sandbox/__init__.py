"""A real HTTP server that speaks the venues' protocols, for the demo, the tests, and anyone offline.

It serves real recorded bars where it has them and made-up ones elsewhere; ``GET /sandbox/recordings`` tells
which are which.
"""

from markethub.sandbox.server import RunningSandbox, create_sandbox, running_sandbox, serve_sandbox
from markethub.sandbox.settings import SandboxSettings, clock_starting_at, fixed_clock

__all__ = [
    "RunningSandbox",
    "SandboxSettings",
    "clock_starting_at",
    "create_sandbox",
    "fixed_clock",
    "running_sandbox",
    "serve_sandbox",
]
