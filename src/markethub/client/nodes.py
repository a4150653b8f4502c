"""The calls about nodes, their tasks and their replicas, of both clients."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

from markethub.client import node_calls
from markethub.client.calls import Call, Moment
from markethub.client.frames import TableForm, convert_table
from markethub.client.node_answers import (
    MaintenanceLogAnswer,
    NodeListAnswer,
    NodeStatusAnswer,
    PromotionAnswer,
    SlaveAnswer,
    SlaveStatusAnswer,
    SyncAnswer,
    SyncCompletedAnswer,
    SyncHistoryAnswer,
    SyncStatusAnswer,
    SyncTriggeredAnswer,
    TaskAnswer,
    TaskStatusAnswer,
    TasksTriggeredAnswer,
    TaskTriggeredAnswer,
    VerificationAnswer,
)

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Answer = TypeVar("Answer")


class Nodes(Protocol):
    """Look at the nodes of a group, their tasks and replicas, and change what they do.

    The names are those of the DMS pages: a *backup* is a slave.
    """

    def _send(self, call: Call[Answer]) -> Answer: ...

    def get_node_status(self) -> NodeStatusAnswer:
        """Return what the node is, since when it runs, and which reign it knows of."""
        return self._send(node_calls.get_node_status())

    def promote_node(self) -> PromotionAnswer:
        """Make the node the master of its group; this needs a token with the scope ``admin``.

        It begins a reign: a master of an older one writes nothing more once it hears of it. ConflictError
        when the node is the master already.
        """
        return self._send(node_calls.promote_node())

    def list_nodes(self) -> NodeListAnswer:
        """Ask all nodes of the group, side by side, and return how each one is and how far it is behind."""
        return self._send(node_calls.list_nodes())

    def list_slaves(self) -> list[SlaveAnswer]:
        """Return the slaves of the configuration; ForbiddenError on a slave. Nobody is asked."""
        return self._send(node_calls.list_slaves())

    def get_slave_status(self, slave_name: str) -> SlaveStatusAnswer:
        """Ask one slave how it is; ForbiddenError on a slave, NotFoundError for a name nobody configured."""
        return self._send(node_calls.get_slave_status(slave_name))

    def get_master_status(self) -> NodeStatusAnswer:
        """Ask the master how it is; ForbiddenError on a master, UnavailableError while it does not answer."""
        return self._send(node_calls.get_master_status())

    def get_sync_status(self) -> SyncStatusAnswer:
        """Return how far each slave has followed; a slave tells of itself alone. Nobody is asked."""
        return self._send(node_calls.get_sync_status())

    def list_sync_history(
        self, backup_name: str | None = None, *, limit: int | None = None, offset: int | None = None
    ) -> SyncHistoryAnswer:
        """Return what the slaves brought by series and hour, the newest first, 100 rows by default."""
        return self._send(node_calls.list_sync_history(backup_name=backup_name, limit=limit, offset=offset))

    def trigger_sync(self, backup_name: str | None = None) -> SyncTriggeredAnswer:
        """Tell one slave, or all, to pull what is new; it returns once they are told."""
        return self._send(node_calls.trigger_sync(backup_name))

    def sync_slave(
        self,
        slave_name: str,
        symbol: str | None = None,
        start_date: Moment | None = None,
        end_date: Moment | None = None,
    ) -> SyncAnswer:
        """Let one slave pull, and compare and repair a symbol in a range; everything for what is left out.

        It returns once that is queued; ``success`` is false where the slave does not answer.
        """
        return self._send(node_calls.sync_slave(slave_name, symbol, start_date, end_date))

    def request_sync(
        self, symbol: str | None = None, start_date: Moment | None = None, end_date: Moment | None = None
    ) -> SyncCompletedAnswer:
        """Let this slave pull all news now, and compare and repair a symbol in a range.

        It returns when the data is there, however long that takes; everything for what is left out.
        ForbiddenError on a master.
        """
        return self._send(node_calls.request_sync(symbol, start_date, end_date))

    def verify_sync(self, node: str | None = None, *, timeout_s: float = 300.0) -> VerificationAnswer:
        """Compare one slave, or all, with the master by digests, repair what differs, and return the proof.

        UnavailableError after ``timeout_s`` (up to 3600): the verification goes on, and a later call tells.
        """
        return self._send(node_calls.verify_sync(node, timeout_s))

    def list_tasks(self) -> list[TaskAnswer]:
        """Return the jobs that keep bars up to date, by name; ForbiddenError on a slave."""
        return self._send(node_calls.list_tasks())

    def get_task_status(self, task_name: str) -> TaskStatusAnswer:
        """Return how a task's last run stands, and what all its runs did."""
        return self._send(node_calls.get_task_status(task_name))

    def trigger_task(self, task_name: str) -> TaskTriggeredAnswer:
        """Queue a run of one task now; ConflictError while as many as allowed have not ended."""
        return self._send(node_calls.trigger_task(task_name))

    def trigger_all_tasks(self, task_type: str | None = None) -> TasksTriggeredAnswer:
        """Queue a run of every task that is neither paused nor disabled, or of those of one type.

        ``task_type`` is ``incremental`` or ``full_sync``.
        """
        return self._send(node_calls.trigger_all_tasks(task_type))

    def get_maintenance_log(
        self,
        task_name: str | None = None,
        *,
        task_type: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> MaintenanceLogAnswer:
        """Return runs of tasks, the last begun first, 100 by default.

        ``status`` is ``running``, ``completed`` or ``failed``.
        """
        return self._send(
            node_calls.get_maintenance_log(
                task_name=task_name, task_type=task_type, status=status, limit=limit, offset=offset
            )
        )

    @overload
    def read_bars(
        self,
        symbols: Sequence[str],
        interval: str = "1d",
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        as_: Literal["arrow"] = "arrow",
    ) -> "pa.Table": ...
    @overload
    def read_bars(
        self,
        symbols: Sequence[str],
        interval: str = "1d",
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        as_: Literal["pandas"],
    ) -> "pd.DataFrame": ...
    @overload
    def read_bars(
        self,
        symbols: Sequence[str],
        interval: str = "1d",
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        as_: Literal["polars"],
    ) -> "pl.DataFrame": ...
    def read_bars(
        self,
        symbols: Sequence[str],
        interval: str = "1d",
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        as_: TableForm = "arrow",
    ) -> Any:
        """Return the bars of many symbols with ``start <= time < end``, from the hub's own store.

        Columns are symbol, time, Open, High, Low, Close and Volume; symbols come in the order asked for, each
        ascending by time, those without bars not at all. InputError where it is more than the hub allows.
        """
        table = self._send(node_calls.read_bars(symbols, interval, start=start, end=end))
        return convert_table(table, as_)


class AsyncNodes(Protocol):
    """As Nodes, for asyncio."""

    async def _send(self, call: Call[Answer]) -> Answer: ...

    async def get_node_status(self) -> NodeStatusAnswer:
        """As DataHub.get_node_status."""
        return await self._send(node_calls.get_node_status())

    async def promote_node(self) -> PromotionAnswer:
        """As DataHub.promote_node."""
        return await self._send(node_calls.promote_node())

    async def list_nodes(self) -> NodeListAnswer:
        """As DataHub.list_nodes."""
        return await self._send(node_calls.list_nodes())

    async def list_slaves(self) -> list[SlaveAnswer]:
        """As DataHub.list_slaves."""
        return await self._send(node_calls.list_slaves())

    async def get_slave_status(self, slave_name: str) -> SlaveStatusAnswer:
        """As DataHub.get_slave_status."""
        return await self._send(node_calls.get_slave_status(slave_name))

    async def get_master_status(self) -> NodeStatusAnswer:
        """As DataHub.get_master_status."""
        return await self._send(node_calls.get_master_status())

    async def get_sync_status(self) -> SyncStatusAnswer:
        """As DataHub.get_sync_status."""
        return await self._send(node_calls.get_sync_status())

    async def list_sync_history(
        self, backup_name: str | None = None, *, limit: int | None = None, offset: int | None = None
    ) -> SyncHistoryAnswer:
        """As DataHub.list_sync_history."""
        return await self._send(
            node_calls.list_sync_history(backup_name=backup_name, limit=limit, offset=offset)
        )

    async def trigger_sync(self, backup_name: str | None = None) -> SyncTriggeredAnswer:
        """As DataHub.trigger_sync."""
        return await self._send(node_calls.trigger_sync(backup_name))

    async def sync_slave(
        self,
        slave_name: str,
        symbol: str | None = None,
        start_date: Moment | None = None,
        end_date: Moment | None = None,
    ) -> SyncAnswer:
        """As DataHub.sync_slave."""
        return await self._send(node_calls.sync_slave(slave_name, symbol, start_date, end_date))

    async def request_sync(
        self, symbol: str | None = None, start_date: Moment | None = None, end_date: Moment | None = None
    ) -> SyncCompletedAnswer:
        """As DataHub.request_sync."""
        return await self._send(node_calls.request_sync(symbol, start_date, end_date))

    async def verify_sync(self, node: str | None = None, *, timeout_s: float = 300.0) -> VerificationAnswer:
        """As DataHub.verify_sync."""
        return await self._send(node_calls.verify_sync(node, timeout_s))

    async def list_tasks(self) -> list[TaskAnswer]:
        """As DataHub.list_tasks."""
        return await self._send(node_calls.list_tasks())

    async def get_task_status(self, task_name: str) -> TaskStatusAnswer:
        """As DataHub.get_task_status."""
        return await self._send(node_calls.get_task_status(task_name))

    async def trigger_task(self, task_name: str) -> TaskTriggeredAnswer:
        """As DataHub.trigger_task."""
        return await self._send(node_calls.trigger_task(task_name))

    async def trigger_all_tasks(self, task_type: str | None = None) -> TasksTriggeredAnswer:
        """As DataHub.trigger_all_tasks."""
        return await self._send(node_calls.trigger_all_tasks(task_type))

    async def get_maintenance_log(
        self,
        task_name: str | None = None,
        *,
        task_type: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> MaintenanceLogAnswer:
        """As DataHub.get_maintenance_log."""
        return await self._send(
            node_calls.get_maintenance_log(
                task_name=task_name, task_type=task_type, status=status, limit=limit, offset=offset
            )
        )

    @overload
    async def read_bars(
        self,
        symbols: Sequence[str],
        interval: str = "1d",
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        as_: Literal["arrow"] = "arrow",
    ) -> "pa.Table": ...
    @overload
    async def read_bars(
        self,
        symbols: Sequence[str],
        interval: str = "1d",
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        as_: Literal["pandas"],
    ) -> "pd.DataFrame": ...
    @overload
    async def read_bars(
        self,
        symbols: Sequence[str],
        interval: str = "1d",
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        as_: Literal["polars"],
    ) -> "pl.DataFrame": ...
    async def read_bars(
        self,
        symbols: Sequence[str],
        interval: str = "1d",
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        as_: TableForm = "arrow",
    ) -> Any:
        """As DataHub.read_bars."""
        table = await self._send(node_calls.read_bars(symbols, interval, start=start, end=end))
        return convert_table(table, as_)
