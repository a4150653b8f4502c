"""The MCP server: the same tools for every transport."""

from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any

import orjson
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from starlette.requests import Request

from markethub.mcp.calls import Question, Reply, call_tool
from markethub.mcp.schemas import describe_parameters, describe_tool
from markethub.mcp.tool import Tool
from markethub.mcp.tools import TOOLS

AskFor = Callable[[Question, Request | None], Awaitable[Reply]]
"""Puts a question to the API in the name of whoever sent the HTTP request; over stdio there is none."""

_INSTRUCTIONS = """\
MarketHub keeps a trading team's market and account data. Read with datahub_series, datahub_klines and the
other reading tools; fetch what is missing with the datahub_backfill tools, which answer at once with a trace
id; follow it with datahub_get_execution and datahub_list_logs. Times are UTC, ISO 8601; ranges are half-open.
datahub_list_nodes tells how the replicas are.
Symbols are BASE_QUOTE.EXCHANGE such as BTC_USDT.BNC. Where an answer has a next_cursor, repeat the call with
it as cursor to get what follows.
"""


def create_server(ask: AskFor, answer_tokens: int) -> Server:
    """An MCP server whose tools ask ``ask``; each answer has at most about ``answer_tokens`` tokens.

    A refused call is a result with ``is_error`` and the API's error envelope as text; only an unknown tool is
    an error of the protocol. Source: Model Context Protocol, "Tools", error handling.
    """

    async def list_tools(
        _context: ServerRequestContext, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_describe(tool) for tool in TOOLS.values()])

    async def run_tool(
        context: ServerRequestContext, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"tool {params.name[:60]!r} is unknown; ask for tools/list")
        reply = await call_tool(
            tool, params.arguments or {}, lambda question: ask(question, context.request), answer_tokens
        )
        text = orjson.dumps(reply.document).decode()
        return types.CallToolResult(content=[types.TextContent(text=text)], is_error=reply.is_error)

    def find_schema(name: str) -> Mapping[str, Any] | None:
        tool = TOOLS.get(name)
        return None if tool is None else describe_parameters(tool)

    return Server(
        "markethub",
        version=version("markethub"),
        instructions=_INSTRUCTIONS,
        get_tool_input_schema=find_schema,
        on_list_tools=list_tools,
        on_call_tool=run_tool,
    )


async def serve_stdio(ask: Callable[[Question], Awaitable[Reply]], answer_tokens: int) -> None:
    """Serve one client over this process's stdin and stdout, until stdin ends."""
    server = create_server(lambda question, _request: ask(question), answer_tokens)
    async with stdio_server() as (read_stream, write_stream):
        await server.run(read_stream, write_stream, server.create_initialization_options())


def _describe(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=describe_tool(tool),
        input_schema=describe_parameters(tool),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.reads_only,
            destructive_hint=tool.is_destructive,
            # A repeated backfill stores nothing twice, but is one more execution.
            idempotent_hint=tool.reads_only or tool.is_destructive,
            open_world_hint=False,
        ),
    )
