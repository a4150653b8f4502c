"""Pages say nothing that the code does not know: links, commands, settings, methods, routes, metrics."""

import ast
import inspect
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer._click.exceptions import ClickException

from markethub import AsyncDataHub, DataHub
from markethub.api import metrics, replica_metrics
from markethub.client.records import RecordFilters, RecordReader
from markethub.config import load_settings
from tests.docs.markdown_pages import (
    DOCS,
    PAGES,
    ROOT,
    Block,
    read_anchors,
    read_blocks,
    read_headings,
    read_links,
    read_page,
)
from tools.reference.commands import read_command_line
from tools.reference.routes import list_operations

_INLINE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?<![\w/.-])markethub( [^|;&>)\n]*)")
_ROUTE = re.compile(r"\b(GET|POST|PUT|DELETE) (/[\w/{}.-]+)")
_METRIC = re.compile(r"\bmarkethub_[a-z_]+\b")
# Names that begin like a metric, but are none: the package of the venue template.
_NO_METRICS = {"markethub_xmp"}
_WRITTEN = [page for page in PAGES if page.parent != DOCS / "reference"]
# The changelog tells what was; all others what is.
_PRESENT = [page for page in _WRITTEN if page.name != "CHANGELOG.md"]


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _blocks_of(*languages: str) -> list[Block]:
    return [block for page in _WRITTEN for block in read_blocks(page) if block.language in languages]


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in read_links(page):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no such file"
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in read_anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", _WRITTEN, ids=_named)
def test_every_block_has_a_language(page: Path) -> None:
    known = {"bash", "console", "python", "toml", "json", "text", "yaml", "ini", "nginx"}
    assert {block.language for block in read_blocks(page)} <= known


def _commands(block: Block) -> Iterator[list[str]]:
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        for found in _COMMAND.finditer(line):
            yield shlex.split(found[1].replace('"', "") if "$(" in line else found[1], comments=True)


def _parse(words: list[str], *, whole: bool) -> None:
    """Check a command line as the command line itself would; only names where it is not ``whole``."""
    command, name = read_command_line(), "markethub"
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        assert words[0] in command.commands, f"{name} has no command {words[0]}"
        name, command, words = f"{name} {words[0]}", command.commands[words[0]], words[1:]
    if whole and not hasattr(command, "commands"):
        command.make_context(name, list(words))
        return
    options = {spelling for parameter in command.params for spelling in parameter.opts} | {"--help", "-h"}
    assert {word for word in words if word.startswith("--")} <= options, f"{name} {words}"


@pytest.mark.parametrize("block", _blocks_of("bash", "console"), ids=str)
def test_commands_in_blocks_are_well_formed(block: Block) -> None:
    for words in _commands(block):
        try:
            _parse(words, whole=True)
        except ClickException as error:
            raise AssertionError(f"{block}: markethub {' '.join(words)}: {error.format_message()}") from error


@pytest.mark.parametrize("page", _PRESENT, ids=_named)
def test_commands_in_sentences_exist(page: Path) -> None:
    for line in read_page(page)[1]:
        for inline in _INLINE.findall(line):
            match = re.fullmatch(r"markethub ((?:[a-z-]+ ?)+.*)", inline)
            if match:
                _parse([word for word in match[1].split() if re.match(r"-|[a-z]", word)], whole=False)


@pytest.mark.parametrize("block", _blocks_of("bash"), ids=str)
def test_shell_blocks_are_shell(block: Block) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run([bash, "-n"], check=False, input=block.text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), str(block)


@pytest.mark.parametrize("block", _blocks_of("toml"), ids=str)
def test_configurations_are_accepted(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = tmp_path / "given.toml"
    written.write_text(block.text, encoding="utf-8")
    load_settings(written)


@pytest.mark.parametrize("block", _blocks_of("python"), ids=str)
def test_python_blocks_call_what_there_is(block: Block) -> None:
    tree = compile(block.text, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for call in ast.walk(tree):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="datahub" | "hub" as owner), attr=name)):
                client = AsyncDataHub() if owner == "hub" else DataHub()
                method = getattr(client, name, None)
                assert method is not None, f"{block}: the client has no {name}"
                given = {keyword.arg: None for keyword in call.keywords if keyword.arg}
                inspect.signature(method).bind(*call.args, **given)
                if isinstance(method, RecordReader):
                    assert set(given) - {"as_"} <= set(RecordFilters.__annotations__), f"{block}: {name}"


def test_routes_in_sentences_exist() -> None:
    routes = {f"{method} {re.sub(r'{.*?}', '{}', path)}" for method, path, _ in list_operations()}
    for page in _PRESENT:
        for method, path in _ROUTE.findall("\n".join(read_page(page)[1])):
            if path.startswith(("/api/v1/", "/healthz", "/metrics")) and not path.endswith(("...", "*")):
                assert f"{method} {re.sub(r'{.*?}', '{}', path)}" in routes, f"{page.name}: {method} {path}"


def test_metrics_in_pages_exist() -> None:
    known = {
        name for module in (metrics, replica_metrics) for name in _METRIC.findall(inspect.getsource(module))
    }
    for page in _PRESENT:
        told = set(_METRIC.findall(page.read_text(encoding="utf-8"))) - _NO_METRICS
        assert {re.sub("_total$|_bucket$|_count$|_sum$", "", name) for name in told} <= known, page.name


def test_the_chinese_readme_has_the_same_shape() -> None:
    own, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    assert [depth for depth, _ in read_headings(own)] == [depth for depth, _ in read_headings(chinese)]
    assert [_without_comments(block) for block in read_blocks(own)] == [
        _without_comments(block) for block in read_blocks(chinese)
    ]
    assert [link for link in read_links(own) if "#" not in link and link != chinese.name] == [
        link for link in read_links(chinese) if "#" not in link and link != own.name
    ]


def _without_comments(block: Block) -> tuple[str, str]:
    return block.language, re.sub(r" *#.*", "", block.text)


def test_a_wrong_command_is_seen() -> None:
    for wrong in ("klines rede BTC_USDT.BNC 1h", "klines read BTC_USDT 1h", "backfill klines --intervall 1h"):
        block = Block(ROOT / "README.md", 1, "bash", f"markethub {wrong}")
        with pytest.raises(AssertionError):
            test_commands_in_blocks_are_well_formed(block)


def test_spelling() -> None:
    codespell = Path(sys.executable).with_name("codespell")
    done = subprocess.run(
        [codespell, *map(str, PAGES)], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
