"""What holds of every file that is read, whatever its bytes; and files to begin a search from."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator

import msgspec

from broker_samples import SAMPLES, Sample
from quotewell.errors import QuotewellError
from quotewell.portfolio.importers import read_positions

__all__ = ["SHEET_MARK", "check", "seeds", "words"]

SHEET_MARK = b"<worksheet"
"""What begins so is put into a workbook, whose archive would not survive a changed byte."""
_AMOUNTS = ("quantity", "price", "value", "cost_basis", "fx_rate")
_PARTS = {
    "xl/workbook.xml": '<workbook xmlns:r="r"><sheets><sheet name="1" r:id="a"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="a" Target="s.xml"/></Relationships>',
    "xl/sharedStrings.xml": "<sst><si><t>Symbol</t></si><si><r><t>Quan</t></r><r><t>tity</t></r></si></sst>",
    "xl/styles.xml": '<x><cellXfs><xf/><xf numFmtId="14"/><xf numFmtId="10"/></cellXfs></x>',
}
_SHEET = (
    '<worksheet><sheetData><row r="1"><c t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
    '<row r="3"><c r="A3" t="inlineStr"><is><t>AMZN</t></is></c><c><v>-12.5</v></c></row>'
    '<row><c t="str"><v>NVDA</v></c><c s="1"><v>45785.5</v></c><c s="2"><v>1e3</v></c></row>'
    '<row r="9"><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c></row></sheetData></worksheet>'
)


def check(data: bytes) -> None:
    """Read a file: it is refused in our own words, or every row of it is somewhere, with finite numbers."""
    try:
        file = read_positions(_in_workbook(data) if data.startswith(SHEET_MARK) else data, "fuzz.csv")
    except QuotewellError as error:
        assert str(error).startswith("fuzz.csv: ")  # noqa: PT017  nothing needs to be raised
        return
    entries = (*file.positions, *file.pending)
    assert file.rows == len(entries) + len(file.rejected)
    for entry in entries:
        assert entry.line is not None
        assert getattr(entry, "symbol", None) or entry.kind == "pending"
        amounts = [getattr(entry, field, None) for field in _AMOUNTS]
        assert all(amount is None or math.isfinite(amount) for amount in amounts)
    assert all(row.reason and row.line > 0 for row in file.rejected)
    assert all(map(math.isfinite, file.stated_totals.values()))
    msgspec.json.encode([file.positions, file.pending, file.rejected, file.notes, file.problems])


def seeds() -> Iterator[bytes]:
    """A file of each layout in several encodings and with several delimiters, and a sheet."""
    for sample in SAMPLES:
        text = _text(sample)
        yield text.encode()
        yield text.replace("\n", "\r\n").encode("utf-16")
    yield from (_text(SAMPLES[-1]).replace(",", other).encode("utf-8-sig") for other in "\t;")
    yield _SHEET.encode()


def words() -> list[str]:
    """What the samples' cells say, to be put together anew."""
    cells = {cell for sample in SAMPLES for cell in re.split(r'[,\n"]+', _text(sample))}
    return sorted(cell for cell in cells if 0 < len(cell) < 40)


def _text(sample: Sample) -> str:
    rows = [row for kind in sample.rows.values() for row in kind]
    return "\n".join(["Positions as of 06:04 PM ET, 2025/05/08", "", sample.header, *rows, sample.trailing])


def _in_workbook(sheet: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in _PARTS.items():
            archive.writestr(name, part)
        archive.writestr("xl/s.xml", sheet)
    return content.getvalue()
