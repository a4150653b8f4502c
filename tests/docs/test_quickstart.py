"""The quick start, block by block, as a reader would do it; only ports are others."""

from pathlib import Path

import pytest

from tests.docs.markdown_pages import DOCS, Block, read_blocks
from tests.docs.page_reader import Reader, ending_servers

_QUICKSTART = DOCS / "quickstart.md"
_SERVERS = {"markethub sandbox": "http://127.0.0.1:11184", "markethub serve": "http://127.0.0.1:11183"}


@pytest.mark.timeout(300)  # a dozen processes one after the other, on a machine that may be busy
def test_every_block_does_what_it_says(tmp_path: Path) -> None:
    printed = ""
    with ending_servers(Reader(tmp_path, _SERVERS)) as reader:
        for block in read_blocks(_QUICKSTART):
            if block.language == "text":
                assert printed.strip() == block.text, str(block)
            elif block.language != "console":
                printed = reader.do(block)
            if block.text in _SERVERS:
                reader.stands_for[_SERVERS[block.text]] = printed
        assert set(reader.stands_for) == set(_SERVERS.values())
        assert [server.poll() for server in reader.servers] == [None, None]


def test_only_the_installation_is_not_run() -> None:
    (left_out,) = [block for block in read_blocks(_QUICKSTART) if block.language == "console"]
    assert "pip install" in left_out.text


@pytest.mark.parametrize("text", ["exit 3", "false | true", "echo $not_set"])
def test_a_block_that_fails_is_seen(tmp_path: Path, text: str) -> None:
    with pytest.raises(AssertionError, match="quickstart"):
        Reader(tmp_path, ()).do(Block(_QUICKSTART, 1, "bash", text))
