from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text as RichText

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
from quotewell.views.render.terminal import as_rich
from quotewell.views.render.text import Text

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


def style(text: Text) -> str:
    ((_, found),) = text.pieces
    return found


def test_red_and_green_only_beside_a_sign() -> None:
    unit = Unit("USD")
    assert style(unit.amount(-5.0)) == "red"
    assert style(unit.amount(5.0)) == ""
    assert style(unit.change(5.0)) == "green"
    assert style(unit.change(0.2)) == ""
    assert style(coloured("−1", "bold")) == "bold red"
    assert style(coloured("n/a")) == ""


# ------------------------------------------------------------------------------------------------- texts


def both(pieces: list[tuple[str, str]]) -> tuple[Text, RichText]:
    return Text.assemble(*pieces), RichText.assemble(*pieces)


PIECES = st.lists(
    st.tuples(st.text(alphabet="ab  ×−é漢ﬁ\N{COMBINING ACUTE ACCENT}", max_size=6), st.just(""))
)


@given(PIECES, st.integers(0, 30))
def test_a_text_is_measured_and_cut_as_rich_does_it(pieces: list[tuple[str, str]], size: int) -> None:
    ours, theirs = both(pieces)
    assert (ours.plain, ours.cell_len) == (theirs.plain, theirs.cell_len)
    stripped, other = ours.copy(), theirs.copy()
    stripped.rstrip()
    other.rstrip()
    assert stripped.plain == other.plain
    ours.truncate(size)
    assert ours.cell_len <= size
    if "漢" not in theirs.plain and "\N{COMBINING ACUTE ACCENT}" not in theirs.plain and size:
        theirs.truncate(size, overflow="ellipsis")
        assert ours.plain == theirs.plain


def test_styles_stay_with_their_pieces() -> None:
    text = cell("name", "bold").append(" and").append_text(cell(" more", "red"))
    assert text.pieces == (("name", "bold"), (" and", ""), (" more", "red"))
    copied = text.copy()
    copied.stylize("yellow")
    assert copied.pieces == (("name", "bold yellow"), (" and", "yellow"), (" more", "red yellow"))
    assert text.pieces[1] == (" and", "")
    text.truncate(7)
    assert list(text.pieces) == [("name", "bold"), (" a", ""), ("…", "")]
    text.right_crop(2)
    assert list(text.pieces) == [("name", "bold"), (" ", "")]
    text.rstrip()
    assert list(text.pieces) == [("name", "bold")]
    text.right_crop(9)
    assert (text.plain, text.cell_len) == ("", 0)


def test_rich_gets_the_same_characters_and_styles() -> None:
    lines = [cell("a", "bold").append("b", "red"), Text(), cell("漢")]
    shown = as_rich(lines)
    assert shown.plain == "ab\n\n漢"
    assert [(span.start, span.end, span.style) for span in shown.spans] == [(0, 1, "bold"), (1, 2, "red")]
