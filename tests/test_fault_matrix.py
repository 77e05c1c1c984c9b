"""Every fault of a provider, tried out: no number is wrong, none is missing without a reason, all heal.

`WRITE_DOCS=1 pytest tests/test_fault_matrix.py` writes the table of `docs/reliability.md`, which
these tests hold against what they measure. The whole matrix is in `test_torture_faults.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fault_laboratory import FAULTS, POSITIONS, Book, Cell, Laboratory, Run
from fault_matrix import DAY, HEADER, Seen, Verdict, complaints, prices_still_wrong, row, verdict
from quotewell.endpoints import Fetched
from quotewell.providers import validate
from quotewell.records import Freshness, Quote, Reading, Record

DOCUMENT = Path(__file__).parents[1] / "docs" / "reliability.md"
WRITE = "WRITE_DOCS" in os.environ
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"
ELSEWHERE = [
    Cell(fault, POSITIONS[1 + number % 4], filled=number % 2 == 0)
    for number, fault in enumerate(FAULTS)
    if not fault.endswith("crumb")  # a crumb is about no symbol: it hits all or nothing
]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("faults"), Book.of(120, every=6)) as laboratory:
        yield laboratory


def table() -> list[str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].splitlines()


def documented() -> dict[str, str]:
    return {line.split("|")[1].strip(): line for line in table()[len(HEADER) :]}


def write(fault: str, line: str) -> None:
    rows = {**documented(), fault: line}
    text = DOCUMENT.read_text(encoding="utf-8")
    lines = [*HEADER, *(rows[name] for name in FAULTS if name in rows)]
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    DOCUMENT.write_text(before + "\n".join(lines) + "\n" + after, encoding="utf-8")


def seen(run: Run) -> Seen:
    kinds = {need: failure.kind for need, failure in run.failures.items()}
    return Seen(run.verdicts, kinds, run.report.requests)


def verdicts_complained_of(cell: Cell, runs: list[Run]) -> list[str]:
    verdicts = [run.verdicts for run in runs]
    soon = prices_still_wrong(cell.fault, verdicts[1], filled=cell.filled)
    return complaints(cell.fault, verdicts, filled=cell.filled) + soon


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_every_request(laboratory: Laboratory, fault: str) -> None:
    under = []
    for filled in (False, True):
        cell = Cell(fault, "all", filled=filled)
        runs = laboratory.try_out(cell)
        assert verdicts_complained_of(cell, runs) == []
        under.append(seen(runs[0]))
    line = row(fault, *under)
    if WRITE:
        write(fault, line)
    assert line == documented().get(fault)


@pytest.mark.parametrize("cell", ELSEWHERE, ids=lambda cell: f"{cell.fault}-{cell.position}")
def test_a_fault_of_some_requests(laboratory: Laboratory, cell: Cell) -> None:
    assert verdicts_complained_of(cell, laboratory.try_out(cell)) == []


def test_the_document_has_every_fault() -> None:
    assert tuple(table()[: len(HEADER)]) == HEADER
    assert list(documented()) == list(FAULTS)


@pytest.mark.parametrize(
    ("planted", "freshness", "word"),
    [
        ({"last": 110.0}, Freshness.FRESH, "right"),
        ({"last": 11_000.0}, Freshness.FRESH, "wrong"),
        ({"last": 110.0, "currency": "EUR"}, Freshness.FRESH, "wrong"),
        ({"last": 100.0}, Freshness.FRESH, "wrong"),
        ({"last": 100.0, "as_of": 0.0}, Freshness.FRESH, "dated"),
        ({"last": 100.0, "as_of": 0.0}, Freshness.STALE, "stale"),
        ({"last": 99.0, "as_of": 0.0}, Freshness.STALE, "wrong"),
        ({"last": 11_000.0, "unverified": True}, Freshness.FRESH, "unverified"),
        ({"last": None}, Freshness.NONE, "silent"),
    ],
)
def test_a_planted_number_is_judged(planted: dict[str, Any], freshness: Freshness, word: Verdict) -> None:
    """The market: 100 dollars at the beginning, 110 two days later, which is now."""
    now = 2 * DAY
    fields: dict[str, Any] = {"as_of": now, "fetched_at": now, "currency": "USD"}
    record = Quote("AAPL", **(fields | planted))
    reading: Reading[Record] = Reading("AAPL", record, freshness, "memory")

    def truth(symbol: str, instant: float) -> tuple[float, str | None]:
        return (110.0 if instant == now else 100.0), "USD"

    assert verdict(("AAPL", "quote"), reading, truth, now) == word


def test_without_the_border_checks_the_matrix_finds_wrong_numbers(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_pass(fetched: Fetched, *known: object) -> Fetched:
        return fetched

    monkeypatch.setattr(validate, "check", let_pass)
    cell = Cell("price_x100", "first", filled=True)
    found = verdicts_complained_of(cell, laboratory.try_out(cell))
    assert "('SAA', 'quote') is wrong" in found
