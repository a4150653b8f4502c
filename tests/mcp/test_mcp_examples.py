"""The documents' own tool calls, made over MCP as they are written."""

import pytest

from markethub.mcp.tools import TOOLS
from tests.contract.documented import EXAMPLES, example
from tests.mcp.conftest import OpenClient
from tests.mcp.told import call

DOCUMENTED = sorted(path.name for path in EXAMPLES.glob("*_tool.json"))


@pytest.mark.usefixtures("filled")
async def test_every_documented_call_is_answered_as_documented(over_http: OpenClient) -> None:
    async with over_http("admin") as client:
        for name in DOCUMENTED:
            documented = example(name)
            answer = await call(client, documented["tool"], **documented["parameters"])
            expected = example(name.replace("_tool.json", "_response.json"))
            assert set(expected) <= set(answer), name
            assert set(answer) - set(expected) <= {"summary", "next_cursor"}, name


def test_every_documented_tool_is_one_of_ours() -> None:
    assert len(DOCUMENTED) == 12
    assert {example(name)["tool"] for name in DOCUMENTED} <= set(TOOLS)
