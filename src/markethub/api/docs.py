"""The page at /docs: the OpenAPI document as plain HTML, without scripts and without files from elsewhere."""

import asyncio
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, Response

router = APIRouter()

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem; font-size: 1.2rem; }
h2 b { display: inline-block; min-width: 4rem; }
h3 { font-size: 1rem; margin-bottom: 0.3rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.2rem 1rem 0.2rem 0; }
tr { border-bottom: 1px solid #8883; }
code { font-size: 0.9em; background: #8882; padding: 0 0.2em; border-radius: 3px; }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #ddd; } a { color: #8bf; } }
"""

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

_CODE = re.compile(r"`+([^`]+)`+")
_AS_CODE = r"<code>\1</code>"


class DocPages:
    """The document as JSON and as a page, each written once: anyone may ask, and writing takes its time."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._writing = asyncio.Lock()
        self._written: tuple[bytes, bytes] | None = None

    async def read(self) -> tuple[bytes, bytes]:
        """The JSON and the page; written beside the event loop, so that nobody else waits for it."""
        async with self._writing:
            if self._written is None:
                self._written = await asyncio.to_thread(self._write)
        return self._written

    def _write(self) -> tuple[bytes, bytes]:
        document = self._app.openapi()
        return orjson.dumps(document), render_docs(document).encode()


async def _read_pages(request: Request) -> tuple[bytes, bytes]:
    pages: DocPages = request.app.state.doc_pages
    return await pages.read()


@router.get("/openapi.json", include_in_schema=False)
async def show_openapi(request: Request) -> Response:
    """The API's reference for programs."""
    document, _ = await _read_pages(request)
    return Response(document, media_type="application/json")


@router.get("/docs", include_in_schema=False)
async def show_docs(request: Request) -> HTMLResponse:
    """The API's reference for people; /openapi.json is the same for programs."""
    _, page = await _read_pages(request)
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


def render_docs(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as one HTML page: every route, parameter, body, answer and schema."""
    info = document["info"]
    title = html.escape(f"{info['title']} {info['version']}")
    parts = [
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>",
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>{_prose(info.get('description', ''))}",
        "<p>For programs: <a href=openapi.json>openapi.json</a></p>",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts += _operation(method, path, operation)
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        anchor = html.escape(name)
        parts.append(
            f"<h2 id='{anchor}'>{anchor}</h2>{_prose(schema.get('description', ''))}{_fields(schema)}"
        )
    parts.append("</body></html>")
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    summary = html.escape(operation.get("summary", ""))
    yield f"<h2><b>{method.upper()}</b> <code>{html.escape(path)}</code> {summary}</h2>"
    yield _prose(operation.get("description", ""))
    if operation.get("parameters"):
        rows = [
            (
                f"<code>{html.escape(parameter['name'])}</code>",
                html.escape(parameter["in"]) + (", required" if parameter.get("required") else ""),
                _type(parameter["schema"]),
                _prose(parameter.get("description") or parameter["schema"].get("description", "")),
            )
            for parameter in operation["parameters"]
        ]
        yield "<h3>Parameters</h3>" + _table(rows)
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h3>Body: {html.escape(media_type)}</h3>{_fields(content['schema'])}"
    yield "<h3>Answers</h3>" + _table(_answers(operation["responses"]))


def _answers(responses: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for status, response in responses.items():
        contents = [
            f"<code>{html.escape(media_type)}</code> {_type(content.get('schema', {}))}"
            for media_type, content in response.get("content", {}).items()
        ]
        yield f"<code>{html.escape(status)}</code>", _prose(response["description"]), "<br>".join(contents)


def _fields(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"<p>{_type(schema)}</p>"
    required = schema.get("required", [])
    rows = [
        (
            f"<code>{html.escape(name)}</code>",
            "required" if name in required else "optional",
            _type(field),
            _prose(field.get("description", "")),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    return _table(rows)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_type(option) for option in schema[key])
    if "enum" in schema:
        return " or ".join(f"<code>{html.escape(str(value))}</code>" for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    words = [kind]
    if "format" in schema:
        words.append(f"({schema['format']})")
    for bound, wording in (
        ("minimum", "from {}"),
        ("maximum", "to {}"),
        ("maxLength", "of at most {} characters"),
    ):
        if bound in schema:
            words.append(wording.format(schema[bound]))
    if schema.get("default") is not None:
        words.append(f"default {schema['default']}")
    return html.escape(" ".join(words))


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"


def _prose(text: str) -> str:
    # Descriptions are docstrings: paragraphs, and `code` between backquotes, which come doubled in models.
    paragraphs = [part for part in html.escape(text, quote=False).split("\n\n") if part.strip()]
    return "".join(f"<p>{_CODE.sub(_AS_CODE, part)}</p>" for part in paragraphs)
