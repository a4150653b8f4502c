"""The documents' examples, word for word as ``examples/`` holds them; only address and token are put in."""

import json
import shlex
from pathlib import Path
from typing import Any

import httpx2
import pytest

import markethub
from tests.api.served_hub import ServedHub

EXAMPLES = Path(__file__).parent / "examples"


def example(name: str) -> Any:  # noqa: ANN401  (whatever the document shows)
    """A documented JSON text."""
    return json.loads((EXAMPLES / name).read_text(encoding="utf-8"))


def run_curl(name: str, served: ServedHub) -> httpx2.Response:
    """Send what the documented curl command sends."""
    command = (EXAMPLES / name).read_text(encoding="utf-8")
    command = command.replace("https://api.datahub.example.com", served.url)
    command = command.replace("YOUR_TOKEN", served.tokens["admin"])
    words = iter(shlex.split(command.replace("\\\n", " "), comments=True))
    assert next(words) == "curl"
    method, url, content, headers = "GET", "", None, {}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            key, _, value = next(words).partition(": ")
            headers[key] = value
        elif word == "-d":
            content = next(words)
        else:
            url = word
    with httpx2.Client(verify=False, trust_env=False, timeout=60) as client:
        return client.request(method, url, content=content, headers=headers)


def run_snippet(name: str, served: ServedHub, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a documented Python snippet with the ready client; return what it prints."""
    printed: list[str] = []
    monkeypatch.setenv("MARKETHUB_URL", served.url)
    monkeypatch.setenv("MARKETHUB_TOKEN", served.tokens["admin"])
    code = compile((EXAMPLES / name).read_text(encoding="utf-8"), name, "exec")
    markethub.datahub.close()
    try:
        exec(code, {"datahub": markethub.datahub, "print": printed.append})  # noqa: S102  (our own files)
    finally:
        markethub.datahub.close()
    return printed
