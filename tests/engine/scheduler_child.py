"""A scheduler for tests that kill it: ``scheduler_child.py URL``.

Its clock shows a minute for every half second, in step with every other child's. It prints a line after each
look.
"""

import asyncio
import logging
import sys

import structlog

from markethub.control.database import open_database
from markethub.engine.engine import Engine
from markethub.engine.scheduler import Scheduler
from markethub.ports.clock import system_clock

SPEED = 120


def fast_clock() -> int:
    return system_clock() * SPEED % (10**11 * SPEED)


async def main(url: str) -> None:
    database = await open_database(url)
    scheduler = Scheduler(database, Engine(database, {}, clock=fast_clock), fast_clock)
    while True:
        await scheduler.look()
        print("looked", flush=True)  # noqa: T201 - read by the test


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(main(sys.argv[1]))
