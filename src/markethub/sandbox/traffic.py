"""Counts what was asked of the sandbox."""

from collections import Counter

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class Traffic:
    """Requests by endpoint (the route's pattern, as ``/api/v3/klines``), replies by endpoint and status.

    A request that ends without a reply is counted as a request only. Doors below ``/sandbox`` do not count.
    """

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.replies: Counter[tuple[str, int]] = Counter()

    def snapshot(self) -> dict[str, object]:
        """``{"requests": {endpoint: n}, "replies": {endpoint: {status: n}}}`` as JSON values."""
        replies: dict[str, dict[str, int]] = {}
        for (endpoint, status), times in self.replies.items():
            replies.setdefault(endpoint, {})[str(status)] = times
        return {"requests": dict(self.requests), "replies": replies}

    def reset(self) -> None:
        self.requests.clear()
        self.replies.clear()

    def middleware(self) -> Middleware:
        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            endpoint = _endpoint(request)
            if endpoint.startswith("/sandbox"):
                return await handler(request)
            self.requests[endpoint] += 1
            try:
                response = await handler(request)
            except web.HTTPException as refusal:
                self.replies[endpoint, refusal.status] += 1
                raise
            self.replies[endpoint, response.status] += 1
            return response

        return count


def _endpoint(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "(unknown path)"
