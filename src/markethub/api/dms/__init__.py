"""The DMS door: how the nodes of the group are, what they keep up to date, and their data."""

from collections.abc import Sequence

from fastapi import APIRouter

from markethub.api.dms import (
    following,
    nodes,
    promotion,
    read,
    replication,
    sync,
    tasks,
    verification,
)

ROUTERS: Sequence[APIRouter] = (
    nodes.router,
    sync.router,
    promotion.router,
    read.router,
    replication.router,
    tasks.router,
    following.router,
    verification.router,
)
"""Every router under `/api/dms`, in the order in which paths are tried."""
