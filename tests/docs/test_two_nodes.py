"""The readme's two nodes, block by block, as a reader would do it; only ports and the exchange are others."""

import re
from itertools import dropwhile, takewhile
from pathlib import Path

import pytest

from tests.docs.markdown_pages import ROOT, Block, read_blocks
from tests.docs.page_reader import Reader, ending_servers
from tests.hub_process import running_sandbox_process
from tests.replication.link_proxy import running_links

_MASTER, _SLAVE = "markethub serve --config master.toml", "markethub serve --config backup1.toml"


def _blocks_of_section(page: Path, title: str) -> list[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    begin = lines.index(f"## {title}") + 1
    length = sum(1 for _ in takewhile(lambda line: not line.startswith("## "), lines[begin:]))
    blocks = dropwhile(lambda block: block.line < begin, read_blocks(page))
    return list(takewhile(lambda block: block.line < begin + length, blocks))


@pytest.mark.timeout(300)  # five processes, on a machine that may be busy
def test_the_two_nodes_of_the_readme(tmp_path: Path) -> None:
    blocks = _blocks_of_section(ROOT / "README.md", "Two nodes")
    with running_sandbox_process(tmp_path / "sandbox.log") as exchange, running_links(2) as links:
        # Where a node listens nobody knows before it does; links stand for the ports of the page.
        ports = dict(zip(("11183", "11283"), (str(link.port) for link in links), strict=True))
        settings = {f"MARKETHUB_VENUES__BNC__{name}_URL": exchange for name in ("BASE", "ARCHIVE")}
        # default jobs would ask the other exchanges
        settings["MARKETHUB_SCHEDULER__ENABLED"] = "false"
        reader = Reader(tmp_path, (_MASTER, _SLAVE), ports, settings)
        with ending_servers(reader):
            printed = ""
            for block in blocks:
                printed = reader.do(block)
                if block.text in (_MASTER, _SLAVE):
                    links[block.text == _SLAVE].lead_to(printed)
    assert re.search(r"^master\tmaster\t.*\trunning\t", printed, re.MULTILINE), printed
    assert re.search(r"^backup1\tslave\t.*\trunning\t", printed, re.MULTILINE), printed
    assert re.search(r"^backup1\tequal\t", printed, re.MULTILINE), printed
    days = re.findall(r"^BTC_USDT\.BNC\t(2026-01-\d\d)", printed, re.MULTILINE)
    assert days == [f"2026-01-{day:02d}" for day in range(1, 32)], printed
