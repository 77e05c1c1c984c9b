"""What every importer does with a file of its broker, however the file was saved."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker_samples import SAMPLES, Sample
from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import IMPORTERS, ImportedFile, read_positions
from quotewell.portfolio.importers.table import read_text

samples = pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda sample: f"{sample.broker} {sample.variant}".strip()
)


def lines_of(sample: Sample) -> list[str]:
    return [line for lines in sample.rows.values() for line in lines]


def content(sample: Sample, before: str = "") -> str:
    return before + sample.header + "\n" + "\n".join(lines_of(sample)) + "\n" + sample.trailing


def good_row(sample: Sample) -> str:
    return next(iter(sample.rows.values()))[0]


def kinds(file: ImportedFile) -> dict[str, int]:
    counts = dict.fromkeys(("stock", "option", "cash", "pending", "unknown", "rejected"), 0)
    for entry in (*file.positions, *file.pending):
        counts[entry.kind] += 1
    counts["rejected"] = len(file.rejected)
    return {kind: count for kind, count in counts.items() if count}


def test_every_registered_importer_has_a_sample_here() -> None:
    brokers = [importer.broker for importer in IMPORTERS]
    assert brokers == list(dict.fromkeys(sample.broker for sample in SAMPLES))
    assert brokers[-1] == "plain"


@samples
@pytest.mark.parametrize("before", ["", "My positions\n\nFilter: all\n"])
def test_no_other_brokers_importer_recognises_a_file(sample: Sample, before: str) -> None:
    head = read_text(content(sample, before).encode(), "sample").head(",", 100)
    recognised = [importer.broker for importer in IMPORTERS[:-1] if importer.recognise(head) is not None]
    assert recognised == [sample.broker] * (sample.broker != "plain")


@samples
def test_every_row_ends_up_in_its_place(sample: Sample) -> None:
    file = read_positions(content(sample).encode())
    assert file.broker == sample.broker
    assert kinds(file) == {kind: len(lines) for kind, lines in sample.rows.items() if kind}
    assert file.rows == sum(kinds(file).values())


@samples
@pytest.mark.parametrize("before", ["", "\n\n", "My positions\n\nFilter: all\n"])
def test_entries_carry_the_line_they_stand_on(sample: Sample, before: str) -> None:
    file = read_positions(content(sample, before).encode())
    lines = content(sample, before).split("\n")
    for entry in (*file.positions, *file.pending):
        assert entry.line is not None
        assert lines[entry.line - 1] in sample.rows[entry.kind]
    for rejected in file.rejected:
        assert lines[rejected.line - 1] == rejected.text
        assert rejected.reason


@samples
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_change_nothing(sample: Sample, encoding: str, end: str) -> None:
    saved = content(sample).replace("\n", end).encode(encoding)
    assert read_positions(saved) == read_positions(content(sample).encode())


@samples
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_delimiters_change_nothing_but_themselves(sample: Sample, delimiter: str) -> None:
    saved = io.StringIO()
    rows = csv.reader(io.StringIO(content(sample)))
    csv.writer(saved, delimiter=delimiter, lineterminator="\n").writerows(rows)
    file = read_positions(saved.getvalue().encode())
    assert file.positions == read_positions(content(sample).encode()).positions


@samples
@pytest.mark.parametrize(
    "quantity", ["NaN", "nan", "inf", "1e999", "-1e999", "ten", "0x1F", "x" * 6000, "1,23"]
)
def test_a_quantity_that_is_no_number_rejects_the_row_and_only_it(sample: Sample, quantity: str) -> None:
    good = good_row(sample)
    file = read_positions("\n".join([sample.header, good, sample.bad.format(quantity), good]).encode())
    assert [rejected.line for rejected in file.rejected] == [3]
    assert len(file.positions) == 2


@samples
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_no_row_depends_on_those_around_it(sample: Sample, data: st.DataObject) -> None:
    told = {line: kind for kind, lines in sample.rows.items() if kind for line in lines}
    lines = data.draw(st.lists(st.sampled_from(list(told)), max_size=20))
    file = read_positions("\n".join([sample.header, *lines]).encode())
    found: dict[int | None, str] = {entry.line: entry.kind for entry in (*file.positions, *file.pending)}
    found |= {rejected.line: "rejected" for rejected in file.rejected}
    assert found == {number: told[line] for number, line in enumerate(lines, start=2)}


@samples
def test_duplicates_are_kept(sample: Sample) -> None:
    good = good_row(sample)
    file = read_positions(f"{sample.header}\n{good}\n{good}".encode())
    assert len(file.positions) == 2


@samples
def test_a_path_bytes_and_an_open_file_read_alike(sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / "positions-2025-05-08.csv"
    path.write_text(content(sample), encoding="utf-8")
    by_path = read_positions(path)
    assert by_path == read_positions(str(path))
    assert by_path == read_positions(path.read_bytes(), str(path))
    assert by_path == read_positions(io.BytesIO(path.read_bytes()), str(path))
    assert by_path.as_of is not None
    assert by_path.path == str(path)


@samples
def test_nothing_asks_for_the_files_mtime(sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / "positions.csv"
    path.write_text(sample.header + "\n" + good_row(sample), encoding="utf-8")
    assert read_positions(path).as_of == sample.as_of


@samples
def test_a_file_cut_anywhere_below_its_header_is_read(sample: Sample) -> None:
    whole = content(sample).encode()
    for end in range(whole.index(b"\n"), len(whole), 7):
        file = read_positions(whole[:end])
        assert file.rows == sum(kinds(file).values())


@samples
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(junk=st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n\0"), max_size=60), max_size=8))
def test_junk_below_the_header_never_raises_and_never_vanishes_into_a_position_without_a_line(
    sample: Sample, junk: list[str]
) -> None:
    text = "\n".join([sample.header, *junk]) + "\n"
    try:
        file = read_positions(text.encode("utf-8", errors="surrogatepass"))
    except ImportFailed:
        return
    lines = [entry.line for entry in (*file.positions, *file.pending)] + [row.line for row in file.rejected]
    assert all(line is not None and line > 1 for line in lines)


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00\x01\xff" * 3_500_000,
        b"x" * 10_000_000,
        b"a,b,c\n" * 1_700_000,
        b'"' * 10_000_000,
        b'"a\n' * 3_000_000,
    ],
    ids=["binary", "one line", "a table", "quotation marks", "unclosed"],
)
def test_ten_megabytes_of_junk_are_refused_quickly(junk: bytes) -> None:
    began = time.perf_counter()
    with pytest.raises(ImportFailed) as caught:
        read_positions(junk, "junk.csv")
    assert time.perf_counter() - began < 3.0
    assert str(caught.value).startswith("junk.csv: ")
    assert caught.value.hint


def test_the_refusal_names_what_would_be_read() -> None:
    with pytest.raises(ImportFailed, match="no header of a known kind") as caught:
        read_positions(b"a,b\n1,2\n", "other.csv")
    assert "from Fidelity, " in caught.value.hint
    assert "symbol,quantity" in caught.value.hint


def test_every_broker_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "brokers.md").read_text(encoding="utf-8")
    rows = [
        line.split("|")[1].strip().replace("\\", "") for line in text.splitlines() if line.startswith("| ")
    ]
    assert rows[1:] == [importer.broker for importer in IMPORTERS]
