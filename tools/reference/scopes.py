"""Every scope, with the routes and tools that need it."""

from markethub.mcp.tools import TOOLS
from markethub.services.access import SCOPES
from tools.reference.markdown import Gaps, code, meaning, page, table
from tools.reference.routes import list_operations, scope_of

_INTRODUCTION = """\
A token has one or more scopes (`markethub token create --scope ...`). A request that lacks the one it
needs is refused with 403 `FORBIDDEN`, before its parameters are looked at. The first token of a new hub
has `admin`."""


def write_scopes(gaps: Gaps) -> str:
    """Return the page."""
    operations = [(f"{method} {path}", scope_of(operation)) for method, path, operation in list_operations()]
    rows = [
        (code(scope), meaning(told, f"scope {scope}", gaps), str(sum(one == scope for _, one in operations)))
        for scope, told in SCOPES.items()
    ]
    parts = [table(("scope", "a token with it may", "routes"), rows)]
    for scope in SCOPES:
        routes = [code(name) for name, needed in operations if needed == scope]
        tools = [code(tool.name) for tool in TOOLS.values() if tool.scope == scope]
        if routes or tools:
            parts += [
                f"## {scope}",
                f"Routes: {', '.join(routes) or 'none'}.",
                f"Tools: {', '.join(tools) or 'none'}.",
            ]
    open_routes = [code(name) for name, needed in operations if needed is None]
    parts += ["## Without a scope", f"{', '.join(open_routes)}; `/docs`, `/openapi.json`."]
    return page("Scopes", _INTRODUCTION, *parts)
