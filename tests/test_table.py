from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import table as table_module
from quotewell.portfolio.importers.table import MAX_FIELD, Row, read_bytes, read_text

TEXT = "symbol,name\nAMZN,Amazon\nÖMV,Österreich\n"


def rows(text: str, delimiter: str = ",") -> list[Row]:
    return list(read_text(text.encode(), "positions.csv").rows(delimiter))


def cells(text: str, delimiter: str = ",") -> list[tuple[str, ...]]:
    return [row.cells for row in rows(text, delimiter) if not row.is_blank]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]
)
def test_decodes_each_encoding_alike(encoding: str) -> None:
    table = read_text(TEXT.encode(encoding), "positions.csv")
    assert [row.cells for row in table.rows(",") if not row.is_blank] == [
        ("symbol", "name"),
        ("AMZN", "Amazon"),
        ("ÖMV", "Österreich"),
    ]


def test_windows_dashes_are_read_as_such_and_other_bytes_as_latin_1() -> None:
    assert read_text(b"a \x96 \xe9", "f").lines == ["a \u2013 é"]
    assert read_text(b"a \x81 \xe9", "f").lines == ["a \x81 é"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_numbers_count_lines_of_any_ending(end: str) -> None:
    text = end.join(["title", "", "symbol,quantity", "AMZN,1", ""])
    assert [(row.line, row.cells) for row in rows(text) if not row.is_blank] == [
        (1, ("title",)),
        (3, ("symbol", "quantity")),
        (4, ("AMZN", "1")),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_quoted_cells_hold_delimiters_quotes_and_line_ends(delimiter: str) -> None:
    text = f'a{delimiter}"b {delimiter} ""c"""\n"two\nlines"{delimiter}d\nlast{delimiter}row'
    assert [(row.line, row.cells) for row in rows(text, delimiter)] == [
        (1, ("a", f'b {delimiter} "c"')),
        (2, ("two\nlines", "d")),
        (4, ("last", "row")),
    ]


def test_an_unclosed_quotation_mark_costs_one_row_and_not_the_rest_of_the_file() -> None:
    text = 'AMZN,"AMAZON,5\nAAPL,"APPLE INC",6\nMSFT,x,7\n' + "PAD,x,1\n" * 40
    first, second, third, *_ = rows(text)
    assert (first.fault, first.text) == ("a quotation mark is not closed", 'AMZN,"AMAZON,5')
    assert second.cells == ("AAPL", "APPLE INC", "6")
    assert third.cells == ("MSFT", "x", "7")


def test_an_unclosed_quotation_mark_on_the_last_line_is_a_fault() -> None:
    assert rows('a,b\nc,"d')[-1].fault == "a quotation mark is not closed"


def test_a_quotation_mark_inside_a_cell_is_a_character() -> None:
    assert cells('5" PIPE and 6" PIPE,1\nx,2') == [('5" PIPE and 6" PIPE', "1"), ("x", "2")]
    assert cells('"A "quoted" name",1\nx,2') == [('A quoted" name"', "1"), ("x", "2")]


def test_text_of_a_row_is_kept_but_cut() -> None:
    (row,) = rows("x" * 300)
    assert row.text == "x" * 200


def test_a_cell_of_more_than_the_limit_is_a_fault_of_its_row_only() -> None:
    fine, long, quoted, after = rows(
        f'{"x" * MAX_FIELD},1\n{"x" * (MAX_FIELD + 1)},1\n"{"y" * (MAX_FIELD + 1)}",1\nAMZN,1'
    )
    assert fine.fault is None
    assert long.fault == quoted.fault == "a cell of 5,001 characters"
    assert long.cells == ()
    assert not long.is_blank
    assert after.cells == ("AMZN", "1")


def test_a_huge_line_is_not_cut_into_cells() -> None:
    (row,) = rows("a," * 100_000)
    assert row.fault == "a line of 200,000 characters"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0rest", "Excel workbook"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8brest", "gzip"),
        (b"symbol\x00\x00\x01quantity", "not a text file"),
        (bytes(range(1, 32)) * 100, "not a text file"),
    ],
)
def test_what_is_no_text_is_refused_and_named(data: bytes, what: str) -> None:
    with pytest.raises(ImportFailed, match=what) as caught:
        read_text(data, "positions.csv")
    assert str(caught.value).startswith("positions.csv: ")
    assert "CSV" in caught.value.hint


def test_reads_paths_bytes_and_open_files_alike(tmp_path: Path) -> None:
    path = tmp_path / "positions.csv"
    path.write_bytes(TEXT.encode())
    assert (
        read_bytes(path, "p")
        == read_bytes(str(path), "p")
        == read_bytes(TEXT.encode(), "p")
        == read_bytes(io.BytesIO(TEXT.encode()), "p")
    )


def test_a_file_that_cannot_be_opened_is_an_import_failure(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match=r"absent\.csv: no such file"):
        read_bytes(tmp_path / "absent.csv", "absent.csv")
    with pytest.raises(ImportFailed, match="is a directory"):
        read_bytes(tmp_path, "folder")


@pytest.mark.parametrize("data", [b"", b"  \n \r\n"])
def test_an_empty_file_is_an_import_failure(data: bytes) -> None:
    with pytest.raises(ImportFailed, match="empty"):
        read_bytes(data, "positions.csv")


def test_a_file_beyond_the_size_limit_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "MAX_BYTES", 100)
    path = tmp_path / "large.csv"
    path.write_bytes(b"x" * 101)
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        with pytest.raises(ImportFailed, match="larger than"):
            read_bytes(source, "large.csv")


def test_rows_are_cut_only_as_far_as_they_are_asked_for() -> None:
    table = read_text(b"a,b,c\n" * 1_000_000, "junk.csv")
    began = time.perf_counter()
    assert len(table.head(",", 100)) == 100
    assert time.perf_counter() - began < 0.5
