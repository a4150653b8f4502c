"""``klines read | holes | series``."""

import csv
import io
import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from markethub.cli.bar_formats import BarFormat, encode_bars
from markethub.client import DataHub
from markethub.tables.klines import KLINES, empty_klines
from tests.cli.conftest import Node
from tests.cli.invocation import Run, run_on_terminal, run_process

# The recording's own last two hours of February 2018.
_LAST = ["2018-02-28T22:00:00Z", "2018-02-28T23:00:00Z"]


@pytest.fixture(scope="module")
def bars(node: Node) -> pa.Table:
    with DataHub(node.url, (node.data_dir / "admin.token").read_text()) as hub:
        return hub.klines("BTC_USDT.BNC", "1h")


def test_a_pipe_gets_tab_separated_lines(local: Run) -> None:
    newest = local("klines", "read", "BTC_USDT.BNC", "1h", "--limit", "2")
    assert newest.code == 0
    assert newest.out.startswith("open_time\topen\thigh\tlow\tclose\tvolume\t")
    assert [row[0] for row in newest.table()] == _LAST
    first = local("klines", "read", "BTC_USDT.BNC", "1h", "--start", "2018-01-01", "--limit", "1")
    bar = "2018-01-01T00:00:00Z 13715.65 13715.65 13400.01 13529.01 443.356199 6025246.21290592 0"
    assert first.table() == [bar.split()]


def test_a_range_is_half_open(local: Run) -> None:
    read = local(
        "klines", "read", "BTC_USDT.BNC", "1h", "--start", "2018-01-05", "--end", "2018-01-05T03:00Z"
    )
    assert [row[0][11:16] for row in read.table()] == ["00:00", "01:00", "02:00"]


def test_every_format_holds_the_same_bars(local: Run, bars: pa.Table, tmp_path: Path) -> None:
    for name in ("csv", "json", "arrow", "parquet"):
        outcome = local("klines", "read", "BTC_USDT.BNC", "1h", "--output", f"bars.{name}")
        assert (outcome.code, outcome.out) == (0, "")
        assert f"{len(bars)} bars" in outcome.err
    assert pq.read_table(tmp_path / "bars.parquet").equals(bars)
    with pa.ipc.open_stream((tmp_path / "bars.arrow").read_bytes()) as reader:
        assert reader.read_all().equals(bars)
    read_json = json.loads((tmp_path / "bars.json").read_text())
    read_csv = list(csv.DictReader(io.StringIO((tmp_path / "bars.csv").read_text())))
    assert len(read_json) == len(read_csv) == len(bars)
    for index in (0, 500, len(bars) - 1):
        bar = bars.slice(index, 1).to_pylist()[0]
        assert (
            read_json[index]["open_time"]
            == read_csv[index]["open_time"]
            == f"{bar['open_time']:%Y-%m-%dT%H:%M:%SZ}"
        )
        for column in ("open", "high", "low", "close", "volume", "quote_volume"):
            assert read_json[index][column] == float(read_csv[index][column]) == bar[column]


def test_stdout_can_carry_arrow(node: Node, bars: pa.Table, tmp_path: Path) -> None:
    outcome = run_process(
        "klines",
        "read",
        "BTC_USDT.BNC",
        "1h",
        "--format",
        "arrow",
        cwd=tmp_path,
        MARKETHUB_DATA_DIR=str(node.data_dir),
    )
    assert outcome.returncode == 0
    with pa.ipc.open_stream(outcome.stdout) as reader:
        assert reader.read_all().equals(bars)


@pytest.mark.parametrize("name", [name for name in BarFormat if name is not BarFormat.TABLE])
def test_no_bars_are_a_document_without_rows(name: BarFormat) -> None:
    content = encode_bars(empty_klines(), name)
    match name:
        case BarFormat.CSV:
            assert content.decode() == ",".join(KLINES.names) + "\n"
        case BarFormat.JSON:
            assert json.loads(content) == []
        case BarFormat.ARROW:
            assert pa.ipc.open_stream(content).read_all().schema == KLINES
        case _:
            assert len(pl.read_parquet(content)) == 0


def test_a_terminal_gets_the_newest_50_and_a_hint(node: Node, tmp_path: Path) -> None:
    code, shown = run_on_terminal(
        ["klines", "read", "BTC_USDT.BNC", "1h"], tmp_path, MARKETHUB_DATA_DIR=str(node.data_dir)
    )
    assert code == 0
    assert sum("T" in line and "2018-02-" in line for line in shown.splitlines()) == 50
    assert "newest 50" in shown
    assert _LAST[1] in shown
    code, shown = run_on_terminal(
        ["klines", "read", "BTC_USDT.BNC", "1h", "--format", "arrow"],
        tmp_path,
        MARKETHUB_DATA_DIR=str(node.data_dir),
    )
    assert code == 2
    assert "binary" in shown


def test_a_file_that_cannot_be_written_is_a_plain_error(local: Run) -> None:
    outcome = local("klines", "read", "BTC_USDT.BNC", "1h", "--output", "missing/bars.csv")
    assert outcome.code == 1
    assert outcome.err.startswith("error: cannot write missing/bars.csv")


def test_local_is_refused_while_a_hub_holds_the_folder(local: Run) -> None:
    outcome = local("klines", "read", "BTC_USDT.BNC", "1h", "--local")
    assert (outcome.code, outcome.out) == (1, "")
    assert "stop it first" in outcome.err


def test_the_data_folder_of_the_command_line_wins(cli: Run, node: Node) -> None:
    assert cli("klines", "series").code == 1
    outcome = cli("klines", "series", "--data-dir", str(node.data_dir))
    assert outcome.code == 0
    assert ["BTC_USDT.BNC", "1h"] in [row[:2] for row in outcome.table()]


def test_the_data_folder_of_the_configuration_file_is_used(
    cli: Run, node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MARKETHUB_DATA_DIR")
    (tmp_path / "markethub.toml").write_text(f"data_dir = {json.dumps(str(node.data_dir))}\n")
    assert cli("klines", "series").code == 0


def test_series_and_holes(local: Run) -> None:
    series = next(row for row in local("klines", "series").table() if row[:2] == ["BTC_USDT.BNC", "1h"])
    assert series[2:5] == ["1382", "2018-01-01T00:00:00Z", "2018-02-28T23:00:00Z"]
    holes = local("klines", "holes", "BTC_USDT.BNC", "1h", "--end", "2018-03-01")
    assert holes.table() == [
        ["2018-01-04T04:00:00Z", "2018-01-04T05:00:00Z", "1", "venue_gap"],
        ["2018-02-08T01:00:00Z", "2018-02-09T10:00:00Z", "33", "venue_gap"],
    ]
    as_json = json.loads(local("klines", "holes", "BTC_USDT.BNC", "1h", "--end", "2018-03-01", "--json").out)
    assert [hole["bars"] for hole in as_json["data"]] == [1, 33]
    assert json.loads(local("klines", "series", "--json").out)["data"]
