"""Excel workbooks: every importer reads one as it reads the same table as CSV, and bad ones are refused."""

from __future__ import annotations

import csv
import datetime as dt
import io
import resource
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import python_calamine
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from xlsxwriter.worksheet import Worksheet

from broker_samples import SAMPLES, Sample
from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.importers.workbook import read_workbook

SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData>'
    "</worksheet>"
)
FIRST_SHEET = "xl/worksheets/sheet1.xml"
HEADER = ["Symbol", "Quantity"]

Cell = str | float | bool | dt.date
Fill = Callable[[xlsxwriter.Workbook], None]


def workbook(fill: Fill, options: dict[str, object] | None = None) -> bytes:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True, **(options or {})})
    fill(book)
    book.close()
    return content.getvalue()


def write(sheet: Worksheet, rows: Sequence[Sequence[Cell]], date_format: object = None) -> None:
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if isinstance(cell, bool):
                sheet.write_boolean(row, column, cell)
            elif isinstance(cell, dt.date):
                sheet.write_datetime(row, column, cell, date_format)
            elif isinstance(cell, str):
                sheet.write_string(row, column, cell)
            else:
                sheet.write_number(row, column, cell)


def of_rows(rows: Sequence[Sequence[Cell]], options: dict[str, object] | None = None) -> bytes:
    def fill(book: xlsxwriter.Workbook) -> None:
        date_format = book.add_format({"num_format": "m/d/yyyy"})
        write(book.add_worksheet(), rows, date_format)

    return workbook(fill, options)


def repacked(content: bytes, parts: dict[str, bytes | None]) -> bytes:
    """The same archive with some parts replaced, or left out."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before:
        names = dict.fromkeys([*before.namelist(), *parts])
        with zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as after:
            for name in names:
                part = parts[name] if name in parts else before.read(name)
                if part is not None:
                    after.writestr(name, part)
    return changed.getvalue()


def with_sheet(xml: str) -> bytes:
    return repacked(of_rows([["x"]]), {FIRST_SHEET: SHEET.format(xml).encode()})


def lines(content: bytes) -> list[list[str]]:
    return [list(row.cells) for row in read_workbook(content, "book.xlsx").rows(",")]


def said(file: ImportedFile) -> tuple[object, ...]:
    rejected = [(row.line, row.reason) for row in file.rejected]
    return file.broker, file.positions, file.pending, rejected, file.as_of, file.stated_totals


def typed(cell: str) -> Cell:
    """What Excel makes of a cell of a CSV file that it opens."""
    try:
        number = float(cell)
    except ValueError:
        pass
    else:
        return number if cell[0] != "0" and abs(number) < 1e15 else cell
    try:
        return dt.datetime.strptime(cell, "%m/%d/%Y").replace(tzinfo=None)  # noqa: DTZ007  sheets have no zone
    except ValueError:
        return cell


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: f"{one.broker} {one.variant}".strip())
@pytest.mark.parametrize("as_excel_types", [False, True])
def test_every_broker_reads_a_workbook_like_csv(sample: Sample, as_excel_types: bool) -> None:
    rows = [line for kind in sample.rows.values() for line in kind]
    text = "\n".join(["My positions", "", sample.header, *rows, sample.trailing])
    cells: list[list[Cell]] = [list(row) for row in csv.reader(io.StringIO(text))]
    if as_excel_types:
        cells = [[typed(cell) if isinstance(cell, str) and cell else cell for cell in row] for row in cells]
    assert said(read_positions(of_rows(cells), "a.csv")) == said(read_positions(text.encode(), "a.csv"))


def test_cells_are_written_as_csv_would_have_them() -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "[$-409]d-mmm-yy;@"})
        for column, (value, code) in enumerate(
            [
                (1400.0, "#,##0.00"),
                (0.125, "0.0%"),
                (0.5, "0%"),
                (-3.25, '"USD" #,##0.00'),
                (193.1, "[Red]General"),
                (1e21, ""),
            ]
        ):
            sheet.write_number(0, column, value, book.add_format({"num_format": code or "General"}))
        sheet.write_datetime(1, 0, dt.datetime(2025, 5, 8), day)  # noqa: DTZ001  sheets have no zone
        sheet.write_datetime(1, 1, dt.datetime(2025, 5, 8, 16, 5), day)  # noqa: DTZ001
        sheet.write_datetime(1, 2, dt.time(9, 30), day)
        sheet.write_boolean(1, 3, True)
        sheet.write_formula(1, 4, "=1+1", None, 2)
        sheet.write_formula(1, 5, "=1/0", None, "#DIV/0!")
        sheet.write_string(2, 0, 'Say "yes", please')
        sheet.write_string(2, 1, "two\nlines")
        sheet.write_string(2, 2, "007903107")
        sheet.write_rich_string(2, 3, "A", book.add_format({"bold": True}), "MZN", " Inc")

    assert lines(workbook(fill)) == [
        ["1400", "12.5%", "50%", "-3.25", "193.1", "1e+21"],
        ["2025-05-08", "2025-05-08 16:05:00", "09:30:00", "TRUE", "2", "#DIV/0!"],
        ['Say "yes", please', "two lines", "007903107", "AMZN Inc"],
    ]


def test_macs_count_days_from_another_one() -> None:
    content = of_rows([[dt.datetime(2025, 5, 8)]], {"date_1904": True})  # noqa: DTZ001  sheets have no zone
    assert lines(content) == [["2025-05-08"]]


def test_the_first_visible_sheet_with_cells_counts_and_lines_are_its_rows() -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        write(book.add_worksheet("Hidden"), [HEADER, ["HID", 1]])
        book.add_worksheet("Empty").activate()
        write(book.add_worksheet("Mine"), [[], [], HEADER, [], ["AMZN", 10], ["NVDA", "abc"]])
        write(book.add_worksheet("Later"), [HEADER, ["LATER", 1]])
        book.worksheets()[0].hide()

    file = read_positions(workbook(fill), "positions.csv")
    assert [(position.symbol, position.line) for position in file.positions] == [("AMZN", 5)]
    assert [row.line for row in file.rejected] == [6]


def test_a_hidden_sheet_counts_where_no_other_has_cells() -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        write(book.add_worksheet("Hidden"), [HEADER, ["HID", 1]])
        book.add_worksheet("Empty").activate()
        book.worksheets()[0].hide()

    assert [position.symbol for position in read_positions(workbook(fill)).positions] == ["HID"]


def test_it_is_recognised_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "Portfolio_Positions_May-08-2025.csv"
    path.write_bytes(of_rows([HEADER, ["AMZN", 10]]))
    file = read_positions(path)
    assert [position.symbol for position in file.positions] == ["AMZN"]
    assert file.as_of is not None


cells = st.one_of(
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FFF), min_size=1, max_size=12),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.integers(-(10**9), 10**9),
    st.booleans(),
    st.datetimes(min_value=dt.datetime(1901, 1, 1), max_value=dt.datetime(2200, 1, 1)).map(  # noqa: DTZ001
        lambda moment: moment.replace(microsecond=0)
    ),
)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.lists(cells, max_size=6), min_size=1, max_size=6))
def test_another_reader_finds_the_same_cells(rows: list[list[Cell]]) -> None:
    content = of_rows(rows)
    theirs = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    expected = [[_text(cell) for cell in row] for row in theirs.to_python(skip_empty_area=False)]
    try:
        found = lines(content)
    except ImportFailed:
        assert not any(cell for row in expected for cell in row)
        return
    width = max(map(len, expected))
    assert [row + [""] * (width - len(row)) for row in found] == expected[: len(found)]
    assert not any(cell for row in expected[len(found) :] for cell in row)


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.datetime):
        # The other reader cuts a second's fraction off where this one rounds.
        rounded = cell + dt.timedelta(microseconds=500_000)
        return rounded.replace(microsecond=0).isoformat(" ")
    return str(cell)


def refused(content: bytes) -> str:
    with pytest.raises(ImportFailed) as caught:
        read_positions(content, "book.xlsx")
    assert caught.value.hint
    return str(caught.value)


def test_what_is_no_workbook_is_named() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writing:
        writing.writestr("positions.csv", "Symbol,Quantity\nAMZN,1\n")
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)
    assert "is a ZIP archive, not a text file" in refused(archive.getvalue())
    assert "is an Excel workbook of the old form (.xls)" in refused(old)
    assert "with a password" in refused(old + "EncryptedPackage".encode("utf-16-le"))


def test_damaged_workbooks_are_refused() -> None:
    whole = of_rows([HEADER, ["AMZN", 10]])
    for end in range(30, len(whole), 97):
        cut = whole[:end]
        assert "damaged" in refused(cut) or "ZIP" in refused(cut)
    for name, part in (
        ("xl/workbook.xml", b"<workbook"),
        ("xl/_rels/workbook.xml.rels", None),
        ("xl/sharedStrings.xml", None),
        (FIRST_SHEET, None),
        (FIRST_SHEET, SHEET.format('<row r="1"><c r="A1"><v>ten</v></c></row>').encode()),
        (FIRST_SHEET, SHEET.format('<row r="2"><c><v>1</v></c></row>' * 2).encode()),
        (FIRST_SHEET, SHEET.format('<row r="9999999"><c r="A9999999"><v>1</v></c></row>').encode()),
        (FIRST_SHEET, SHEET.format('<row r="1"><c r="ZZZ1"><v>1</v></c></row>').encode()),
        ("xl/styles.xml", b'<!DOCTYPE x [<!ENTITY a "b">]><styleSheet>&a;</styleSheet>'),
    ):
        assert "is a damaged Excel workbook" in refused(repacked(whole, {name: part}))


def test_one_flipped_bit_is_refused_or_harmless() -> None:
    whole = of_rows([HEADER, ["AMZN", 10]])
    for place in range(0, len(whole), 41):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        try:
            file = read_positions(bytes(flipped), "book.xlsx")
        except ImportFailed:
            continue
        assert [(position.symbol, position.quantity) for position in file.positions] == [("AMZN", 10.0)]


def test_an_encrypted_archive_is_refused() -> None:
    whole = bytearray(of_rows([HEADER, ["AMZN", 10]]))
    # The flag of encryption, in the central directory.
    place = whole.index(b"PK\x01\x02")
    while place >= 0:
        whole[place + 8] |= 1
        place = whole.find(b"PK\x01\x02", place + 1)
    assert "encrypted" in refused(bytes(whole))


def test_a_workbook_without_cells_is_refused() -> None:
    assert "without cells" in refused(of_rows([]))


def test_a_far_cell_costs_no_more_than_it_says() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content = with_sheet(
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    )
    table = read_workbook(content, "far.xlsx")
    assert (len(table.lines), len(table.lines[-1])) == (2**20, 2**14)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_bombs_are_refused() -> None:
    spaces = b" " * 2**20
    bomb = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(of_rows([["x"]]))) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as writing:
        for name, part in parts.items():
            if name != FIRST_SHEET:
                writing.writestr(name, part)
        with writing.open(FIRST_SHEET, "w", force_zip64=True) as sheet:
            for _ in range(201):
                sheet.write(spaces)
    assert "unpacks to more than 200 MB" in refused(bomb.getvalue())
    shared = f"<sst><si><t>{'x' * 30_000}</t></si></sst>".encode()
    many = "".join(f'<row r="{row}"><c t="s"><v>0</v></c></row>' for row in range(1, 3_000))
    content = repacked(
        of_rows([["x"]]), {FIRST_SHEET: SHEET.format(many).encode(), "xl/sharedStrings.xml": shared}
    )
    assert "more than 50 MB of text" in refused(content)
    styles = repacked(of_rows([["x"]]), {"xl/styles.xml": b"<styleSheet>" + spaces * 11 + b"</styleSheet>"})
    assert "more than 10 MB" in refused(styles)
