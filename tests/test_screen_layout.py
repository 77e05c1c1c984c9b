from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from quotewell.views.render.amounts import Unit, coloured, unit_for
from quotewell.views.render.layout import (
    Column,
    Overhang,
    Table,
    cell,
    inset,
    packed,
    parted,
    side_by_side,
    wrapped,
)

WORDS = st.text(alphabet="abc ×漢", min_size=1, max_size=12)


def plain(lines: list[Text]) -> list[str]:
    return [line.plain for line in lines]


def table() -> Table:
    return Table(
        [Column("Name", left=True), Column("A", goes=2), Column("B", goes=1), Column("", goes=3)],
        [
            [cell("x"), cell("1"), cell("10"), cell("")],
            cell("across"),
            [cell("yy"), cell("200"), cell("3"), cell("")],
        ],
    )


def test_numbers_stand_at_the_right_and_an_empty_column_takes_no_room() -> None:
    assert plain(table().lines()) == ["Name    A   B", "x       1  10", "across", "yy    200   3"]
    assert table().width == 13


def test_columns_go_in_their_turn_until_the_table_fits() -> None:
    assert plain(table().fitted(12).lines()) == ["Name    A", "x       1", "across", "yy    200"]
    assert plain(table().fitted(8).lines()) == ["Name", "x", "across", "yy"]
    assert table().fitted(1).width == 6  # what never goes stays


def test_without_headings_there_is_no_line_of_them() -> None:
    assert plain(Table([Column()], [[cell("1")]]).lines()) == ["1"]


def test_a_column_is_added_at_the_right() -> None:
    notes = [cell("n1"), cell("never"), cell("n2")]
    assert plain(table().with_column(Column("Notes", left=True), notes).lines()) == [
        "Name    A   B  Notes",
        "x       1  10  n1",
        "across",
        "yy    200   3  n2",
    ]


def test_an_overhanging_cell_widens_nothing_unless_it_would_hide_its_neighbour() -> None:
    columns = [Column("Name", left=True), Column("a"), Column("b")]
    body = [cell("x"), cell("1,000"), cell("2,000")]
    free = Table(columns, [body, [cell(""), cell(""), Overhang("missing 5")]])
    assert plain(free.lines()) == ["Name      a      b", "x     1,000  2,000", "         missing 5"]
    crowded = Table(columns, [body, [cell(""), Overhang("missing 4"), Overhang("missing 5")]])
    assert plain(crowded.lines())[-1] == "  missing 4 missing 5"


def test_blocks_stand_beside_each_other() -> None:
    lines = side_by_side([Text("a"), Text("bbb")], [Text("1"), Text("2"), Text("3")], 2)
    assert plain(lines) == ["a    1", "bbb  2", "     3"]


def test_both_ends_of_a_line_or_two_lines() -> None:
    assert plain(parted(Text("left"), Text("right"), 12)) == ["left   right"]
    assert plain(parted(Text("left"), Text("right"), 10)) == ["left", "right"]


@given(st.lists(WORDS, min_size=1, max_size=10), st.integers(14, 40))
def test_packed_items_are_whole_and_fit(items: list[str], width: int) -> None:
    lines = packed([cell(item) for item in items], width, "Of: ")
    assert all(line.cell_len <= width for line in lines)
    assert lines[0].plain.startswith("Of: ")
    assert all(line.plain.startswith("    ") for line in lines[1:])
    if max(Text(item).cell_len for item in items) <= width - 4:
        words = " · ".join(line.plain[4:] for line in lines)
        assert words == " · ".join(items)


def test_an_item_wider_than_a_line_is_cut_visibly() -> None:
    assert plain(packed([cell("abcdefghij")], 6)) == ["abcde…"]


def test_sentences_break_between_words_but_not_before_a_percent_sign_or_in_an_option() -> None:
    assert plain(wrapped("a yield of 2 % would", 12, indent="  ")) == ["a yield of", "  2 % would"]
    assert plain(wrapped("more --dividend-yield", 18)) == ["more", "--dividend-yield"]


def test_lines_have_a_margin_and_are_never_too_wide() -> None:
    assert plain(inset([Text("abc"), Text(), Text("abcdef")], 4)) == [" abc", "", " abc…"]


def test_cells_steer_no_terminal() -> None:
    assert cell("a\x1b[31m\nb").plain == "a\ufffd[31m b"


@pytest.mark.parametrize(
    ("largest", "name", "shown"),
    [
        (None, "USD", "n/a"),
        (0.0, "USD", "0"),
        (-9_999.0, "USD", "−9,999.00"),
        (10_000.0, "USD", "10,000"),
        (9_999_999_999.0, "USD", "9,999,999,999"),
        (12_345_678_901.0, "million USD", "12,346"),
        (2.5e13, "billion USD", "25,000"),
        (-1e300, "USD", "−1.00e+300"),
    ],
)
def test_the_unit_suits_the_largest_amount(largest: float | None, name: str, shown: str) -> None:
    unit = unit_for([largest, None, 1.0 if largest else 0.0], "USD")
    assert (unit.name, unit.text(largest)) == (name, shown)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_largest_amount_is_never_wider_than_sixteen_characters(amount: float) -> None:
    assert len(unit_for([amount], "USD").change(amount).plain) <= 16


def test_red_and_green_only_beside_a_sign() -> None:
    unit = Unit("USD")
    assert unit.amount(-5.0).style == "red"
    assert unit.amount(5.0).style == ""
    assert unit.change(5.0).style == "green"
    assert unit.change(0.2).style == ""
    assert coloured("−1", "bold").style == "bold red"
    assert coloured("n/a").style == ""
