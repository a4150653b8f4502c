"""What a tool answered."""

import json
from typing import Any

from mcp.client.client import Client
from mcp.types import CallToolResult, TextContent


def document_of(result: CallToolResult) -> dict[str, Any]:
    assert len(result.content) == 1
    assert isinstance(result.content[0], TextContent)
    found = json.loads(result.content[0].text)
    assert isinstance(found, dict)
    return found


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    """Call a tool that must answer."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return document_of(result)


async def refusal(client: Client, tool: str, **arguments: Any) -> tuple[str, str]:  # noqa: ANN401  (JSON)
    """Call a tool that must refuse; return code and message."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    envelope = document_of(result)
    assert set(envelope) == {"error"}
    assert set(envelope["error"]) == {"code", "message"}
    return envelope["error"]["code"], envelope["error"]["message"]
