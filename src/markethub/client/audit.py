"""The call that tells who changed what, of both clients."""

from typing import Protocol, TypeVar

from markethub.client import calls
from markethub.client.answers import AuditPage
from markethub.client.calls import Call, Moment

Answer = TypeVar("Answer")


class Audit(Protocol):
    """Look at who changed what; this needs a token with the scope ``admin``."""

    def _send(self, call: Call[Answer]) -> Answer: ...

    def list_audit(
        self,
        token: str | int | None = None,
        action: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        before: Moment | None = None,
        after: Moment | None = None,
        order_desc: bool | None = None,
    ) -> AuditPage:
        """Return a page of all writes, newest first unless asked otherwise.

        ``token`` is a token's id or name, ``action`` such as execution.cancel, or the part before its dot.
        """
        return self._send(
            calls.list_audit(
                token=token,
                action=action,
                limit=limit,
                offset=offset,
                before=before,
                after=after,
                order_desc=order_desc,
            )
        )


class AsyncAudit(Protocol):
    """As Audit, for asyncio."""

    async def _send(self, call: Call[Answer]) -> Answer: ...

    async def list_audit(
        self,
        token: str | int | None = None,
        action: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        before: Moment | None = None,
        after: Moment | None = None,
        order_desc: bool | None = None,
    ) -> AuditPage:
        """As DataHub.list_audit."""
        return await self._send(
            calls.list_audit(
                token=token,
                action=action,
                limit=limit,
                offset=offset,
                before=before,
                after=after,
                order_desc=order_desc,
            )
        )
