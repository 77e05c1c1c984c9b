"""Random books in each broker's own form are read back equal."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quotewell.portfolio.importers import IMPORTERS, read_positions
from writers.held import Writer, held_in
from writers.registry import WRITERS


def test_every_importer_has_a_writer() -> None:
    written = dict.fromkeys(writer.broker for writer in WRITERS)
    assert list(written) == [importer.broker for importer in IMPORTERS]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda one: f"{one.broker} {one.variant}")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(data=st.data())
def test_a_book_is_read_back_equal(writer: Writer, data: st.DataObject) -> None:
    book = data.draw(writer.books())
    text = writer.write(book)
    file = read_positions(text.encode(), "positions.csv")
    assert file.broker == writer.broker
    assert [(row.line, row.reason) for row in file.rejected] == []
    assert held_in(file) == tuple(held.as_read for held in book.held)
    assert file.stated_totals == book.stated_totals
    assert file.as_of == book.as_of
    assert {problem.kind for problem in file.problems} <= {"empty", "stated_total"}
