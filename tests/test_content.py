"""What page and report say of a book: key figures, positions, sources, problems."""

from __future__ import annotations

import re

import pytest

from overviews import file_of, shown
from quotewell.portfolio.importers import RejectedRow
from quotewell.records import Freshness
from quotewell.views.charts import CURVE_MOVES
from quotewell.views.content.issues import issues, without_options
from quotewell.views.content.key_figures import key_figures
from quotewell.views.content.positions import COLUMNS, option_name, position_rows
from valued_books import CALL, stock


def test_all_of_an_overview_is_of_one_valuation() -> None:
    view = shown()
    assert view.summary.value.total == sum(row.value for row in view.rows if row.value is not None)
    assert len(view.rows) == len(view.day_changes) == 6
    assert [point.market for point in view.curve] == list(CURVE_MOVES)
    assert view.day.amount == sum(change for change in view.day_changes if change is not None)


def test_key_figures_say_what_they_leave_out() -> None:
    figures = {figure.name: figure for figure in key_figures(shown())}
    assert list(figures) == ["Value, USD", "Net exposure", "Gross exposure", "Beta-adjusted", "Day's change"]
    value = figures["Value, USD"]
    assert (value.text, value.marker) == ("20,320", "≥ 1 missing")
    assert value.explained == "not in it: 021ESC017"
    day = figures["Day's change"]
    assert (day.text, day.tone) == ("+400", "gain")
    assert re.fullmatch(r"\d+\.\d % of value", figures["Gross exposure"].beside)


def test_key_figures_say_what_they_rest_on() -> None:
    stale = {f.name: f for f in key_figures(shown(file_of(stock("AMZN", 1.0)), freshness=Freshness.STALE))}
    assert stale["Value, USD"].marker == "~1 stale"
    assert stale["Day's change"].text == "n/a"


def test_a_loss_is_marked_by_sign_and_tone() -> None:
    day = key_figures(shown(file_of(stock("KO", 10.0))))[-1]
    assert (day.text, day.tone, day.beside) == ("−10.00", "loss", "−1.41 %")


def test_positions_stand_under_their_underlying() -> None:
    rows = position_rows(shown())
    assert [row.cells["symbol"].text for row in rows] == ["AMZN", "KO", "021ESC017", "Cash and pending"]
    assert [len(row.children) for row in rows] == [2, 0, 0, 2]
    amzn = rows[0]
    assert [child.cells["symbol"].text for child in amzn.children] == ["AMZN", "AMZN 20 Jun 2025 200 C"]
    for key in ("value", "exposure", "day"):
        assert amzn.cells[key].sort == pytest.approx(sum(child.cells[key].sort for child in amzn.children))  # type: ignore[misc]  # numbers
    assert {row.id for row in rows} == {"AMZN", "KO", "021ESC017", ""}


def test_every_cell_has_a_column() -> None:
    keys = {column.key for column in COLUMNS}
    for row in position_rows(shown()):
        for line in (row, *row.children):
            assert set(line.cells) <= keys


def test_what_is_missing_says_why_and_sorts_as_unknown() -> None:
    escrow = position_rows(shown())[2].cells
    assert (escrow["value"].text, escrow["value"].sort) == ("n/a", None)
    assert escrow["value"].explained == "no price"
    assert "no price" in escrow["notes"].text


def test_markers_say_what_they_mean() -> None:
    call = position_rows(shown())[0].children[1].cells["delta"]
    assert (call.marker, call.explained) == ("!", "interest rate taken as 0; dividend yield taken as 0")
    price = position_rows(shown(file_of(stock("AMZN", 1.0)), freshness=Freshness.STALE))[0].cells["price"]
    assert (price.marker, price.explained) == ("~", "stale")


def test_a_partial_sum_of_a_group_is_marked() -> None:
    file = file_of(stock("AMZN", 1.0), stock("AMZN", None))
    assert position_rows(shown(file))[0].cells["value"].marker == "≥"


def test_options_are_named_as_people_read_them() -> None:
    assert option_name(CALL) == "AMZN 20 Jun 2025 200 C"
    assert option_name("AMZN") == "AMZN"


def test_sources_begin_with_the_gaps() -> None:
    found = shown().sources
    gaps = [source for source in found if source.state == "n/a"]
    assert gaps == list(found[: len(gaps)])
    assert {source.reason for source in gaps} == {
        f"no {facet} was given" for facet in ("dividend", "rate", "profile")
    }
    price = next(source for source in found if (source.symbol, source.facet) == ("AMZN", "quote"))
    assert (price.value, price.source, price.age, price.state) == ("190.00 USD", "fake", 0.0, "fresh")
    beta = next(source for source in found if (source.symbol, source.facet) == ("AMZN", "risk"))
    assert (beta.what, beta.value) == ("beta", "1.30")


def test_a_stale_source_is_marked() -> None:
    found = shown(file_of(stock("AMZN", 1.0)), freshness=Freshness.STALE).sources
    assert {source.state for source in found if source.facet in ("quote", "risk")} == {"stale"}


def test_problems_come_with_their_lines_and_the_rows_that_were_not_read() -> None:
    found = {group.kind: group for group in issues(shown())}
    assert next(iter(found)) == "rejected"
    rejected = found["rejected"].issues[0]
    assert (rejected.line, rejected.text) == (8, "???,1")
    assert found["no_price"].issues[0].line == 5


def test_of_several_files_a_line_is_shown_as_it_stands_in_its_own() -> None:
    rows = [RejectedRow(3, "a,b", "no symbol", "one.csv"), RejectedRow(3, "c,d", "no symbol", "two.csv")]
    found = issues(shown(file_of(stock("AMZN", 1.0), rejected=rows)))
    assert [issue.text for issue in found[0].issues] == ["a,b", "c,d"]


def test_a_message_on_a_page_names_no_option_of_the_command_line() -> None:
    message = (
        "the dividend yield of 2 option rows is unknown and taken as 0 (AMZN); give one with --dividend-yield"
    )
    assert without_options(message) == "the dividend yield of 2 option rows is unknown and taken as 0 (AMZN)"
    assert without_options("left out; export a fresh file") == "left out; export a fresh file"
