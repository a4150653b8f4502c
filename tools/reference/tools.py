"""Every tool for AI models."""

from collections.abc import Iterator

from markethub.mcp.schemas import describe_parameters
from markethub.mcp.tool import Tool
from markethub.mcp.tools import TOOLS
from tools.reference.json_types import describe_field, spell_default, spell_type
from tools.reference.markdown import Gaps, code, meaning, page, prose, table

_INTRODUCTION = """\
At `/mcp` (streamable HTTP) and by `markethub mcp` (stdio); `GET /api/v1/tools` gives the same as schemas
for function calling. Each tool is one [route](routes.md) with its parameters and its [scope](scopes.md).
An answer that is longer than the setting `mcp.answer_tokens` is cut, and says with which `cursor` it
goes on."""


def write_tools(gaps: Gaps) -> str:
    """Return the page."""
    overview = table(
        ("tool", "what", "scope"),
        ((f"[`{tool.name}`](#{tool.name})", tool.words, code(tool.scope)) for tool in TOOLS.values()),
    )
    parts = [overview]
    for tool in TOOLS.values():
        parts += _describe(tool, gaps)
    return page("Tools", _INTRODUCTION, *parts)


def _describe(tool: Tool, gaps: Gaps) -> Iterator[str]:
    schema = describe_parameters(tool)
    required = schema.get("required", [])
    yield f"## {tool.name}"
    yield f"{meaning(tool.words, f'tool {tool.name}', gaps)} {prose(tool.model.__doc__)}"
    effect = " Cannot be undone." if tool.is_destructive else ""
    yield f"Route: `{tool.method} {tool.path}`. Scope: `{tool.scope}`.{effect}"
    yield table(
        ("argument", "type", "default", "meaning"),
        (
            (
                code(name) + (", required" if name in required else ""),
                spell_type(field),
                spell_default(field),
                meaning(describe_field(field), f"argument {name} of {tool.name}", gaps),
            )
            for name, field in schema["properties"].items()
        ),
    )
