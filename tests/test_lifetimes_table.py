"""The lifetime table: what `docs/lifetimes.md` says is what the code does, and what a user may change."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from quotewell.errors import UsageError
from quotewell.freshness import LIFETIMES, Lifetime, lifetimes
from quotewell.records import FACETS, Facet

DOCUMENT = Path(__file__).parents[1] / "docs" / "lifetimes.md"
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "y": 365 * 86400.0}
IN_PROSE = {"quote": (300.0, 3600.0), "history": (86400.0, None)}
"""Fresh windows that the document tells below its table: while open, and while closed."""


def seconds(cell: str) -> list[float]:
    """The durations in a cell."""
    if cell == "for ever":
        return [math.inf]
    return [float(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+) (min|s|h|d|y)\b", cell)]


def documented() -> dict[str, list[str]]:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    return {facet: cells for facet, *cells in rows[2:]}


def test_every_facet_has_a_row() -> None:
    assert tuple(documented()) == FACETS == tuple(LIFETIMES)


@pytest.mark.parametrize("facet", FACETS)
def test_the_code_does_what_the_document_says(facet: Facet) -> None:
    fresh, grace, on_error, unknown, throttle = documented()[facet]
    window, closed = IN_PROSE.get(facet, (seconds(fresh)[0] if seconds(fresh) else math.nan, None))
    waits = seconds(throttle)
    assert LIFETIMES[facet] == Lifetime(
        fresh=window,
        grace=seconds(grace)[0],
        on_error=seconds(on_error)[0],
        unknown=seconds(unknown)[0],
        throttle=waits[0],
        throttle_max=waits[-1],
        fresh_closed=closed,
    )


def test_overrides_change_their_cells_only() -> None:
    table = lifetimes({"quote": {"fresh": 60.0, "fresh_closed": 7.0}, "fx": {"grace": 0.0}})
    assert (table["quote"].fresh, table["quote"].fresh_closed, table["fx"].grace) == (60.0, 7.0, 0.0)
    assert (table["quote"].grace, table["fx"].fresh) == (LIFETIMES["quote"].grace, LIFETIMES["fx"].fresh)
    assert table["risk"] is LIFETIMES["risk"]
    assert lifetimes({}) == LIFETIMES


@pytest.mark.parametrize(
    ("overrides", "message", "hint"),
    [
        ({"quotes": {"fresh": 1.0}}, "lifetimes.quotes: no such facet", "quote, profile"),
        ({"quote": {"freshness": 1.0}}, "lifetimes.quote.freshness: no such lifetime", "fresh, grace"),
    ],
)
def test_an_unknown_cell_is_a_usage_error(
    overrides: dict[str, dict[str, float]], message: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        lifetimes(overrides)
    assert hint in caught.value.hint
