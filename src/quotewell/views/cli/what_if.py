"""`quotewell what-if FILE`: profit and loss if the market moves, time passes, volatilities shift."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from quotewell.errors import UsageError
from quotewell.views.cli.book import open_book
from quotewell.views.cli.exits import FAILED, FINE, NOT_STRICT
from quotewell.views.cli.options import (
    Namespace,
    Subparsers,
    add_books,
    add_common,
    add_mapping,
    add_valuation,
    number,
    symbol,
)
from quotewell.views.cli.output import cannot_write, print_json
from quotewell.views.cli.parser import add_command
from quotewell.views.words import MINUS

if TYPE_CHECKING:
    from quotewell.portfolio.what_if import WhatIfReport

__all__ = ["add", "run"]

_WIDEST, _POINTS = 0.20, 41
"""The curve of a plot: from -20 % to +20 %, unless the moves that are asked for say otherwise."""
_PICTURES = (".png", ".svg", ".pdf")


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "what-if",
        "profit and loss if the market moves, time passes or volatilities shift",
        "positions.csv --market=-30%,-10%,0,10%",
        "positions.csv --shock AAPL=-20% --days 30 --vol +5",
        "positions.csv --plot curve.png",
    )
    add_books(parser)
    parser.add_argument(
        "--market",
        metavar="MOVE,…",
        type=_moves,
        help="moves of the benchmark, like --market=-30%%,0,10%% (default from -20%% to 20%%)",
    )
    parser.add_argument(
        "--shock",
        metavar="SYMBOL=MOVE",
        type=_shocks,
        action="extend",
        default=[],
        help="a move of its own instead of beta times the market's, like AAPL=-20%%; may be repeated",
    )
    parser.add_argument(
        "--days", metavar="N", type=number, default=0.0, help="calendar days that pass (default 0)"
    )
    parser.add_argument(
        "--vol",
        metavar="POINTS",
        type=number,
        default=0.0,
        help="shift of every volatility in percentage points, like +5 (default 0)",
    )
    parser.add_argument(
        "--plot", metavar="PICTURE", type=_picture, help="draw the curve to a .png, .svg or .pdf file"
    )
    add_mapping(parser)
    add_valuation(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print the points of the curve, as a screen or as JSON, and draw it if asked to."""
    from quotewell.portfolio.portfolio import MOVES  # noqa: PLC0415  `--help` needs none of these
    from quotewell.portfolio.what_if import report  # noqa: PLC0415  imports numpy

    if options.plot is not None:
        from quotewell.views.plot import require_matplotlib  # noqa: PLC0415  only then

        require_matplotlib()
    moves = options.market or MOVES
    given = {"shocks": _by_symbol(options.shock), "days": options.days, "volatility": options.vol}
    with open_book(options) as (book, tickers):
        found = report(book, moves, requests=tickers.requests, **given)
        curve = None if options.plot is None else report(book, _range(options.market), **given)
        rejected = len(book.rejected)
    if curve is not None:
        _save(curve, options.plot)
    if options.json:
        print_json(found)
    else:
        _print(found, options.plot)
    if all(point.pnl is None for point in found.points):
        return FAILED
    complete = all(point.complete and point.scenario_complete for point in found.points)
    return NOT_STRICT if options.strict and (rejected or not complete) else FINE


def _save(curve: WhatIfReport, path: Path) -> None:
    from quotewell.views.plot import save  # noqa: PLC0415

    try:
        save(curve, path)
    except OSError as error:
        raise cannot_write(path, error) from error


def _print(found: WhatIfReport, picture: Path | None) -> None:
    from quotewell.views.render.header import title  # noqa: PLC0415  only for the screen
    from quotewell.views.render.layout import cell  # noqa: PLC0415
    from quotewell.views.render.terminal import screen_width, show  # noqa: PLC0415
    from quotewell.views.render.what_if import what_if_screen  # noqa: PLC0415

    width = screen_width()
    head = title(found.file, (found.broker,), found.as_of, found.valuation_at, width - 2)
    hints = [cell(f"drawn in {picture}" if picture else "--plot curve.png draws it", "dim")]
    show(what_if_screen(head, found, width, hints))


def _range(moves: tuple[float, ...] | None) -> list[float]:
    """The moves of the curve, evenly from the least to the largest, 0 exactly among them where it is even."""
    low, high = (-_WIDEST, _WIDEST) if moves is None or len(set(moves)) < 2 else (min(moves), max(moves))
    last = _POINTS - 1
    return [(low * (last - place) + high * place) / last for place in range(_POINTS)]


def _by_symbol(shocks: list[tuple[str, float]]) -> dict[str, float]:
    found = dict(shocks)
    if len(found) < len(shocks):
        raise UsageError("--shock gives one symbol two moves")
    return found


def _move(text: str) -> float:
    """`-20%` or `-0.2` as a fraction."""
    bare = text.strip().replace(MINUS, "-")
    value = number(bare.removesuffix("%").rstrip())
    if bare.endswith("%"):
        return value / 100.0
    if not -1.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{value:g} is not a move; write {value:g}% or {value / 100:g}")
    return value


def _moves(text: str) -> tuple[float, ...]:
    moves = tuple(_move(part) for part in text.split(",") if part.strip())
    if not moves:
        raise argparse.ArgumentTypeError("there is no move in it")
    return moves


def _shocks(text: str) -> list[tuple[str, float]]:
    shocks = []
    for part in text.split(","):
        name, separator, move = part.rpartition("=")
        if not separator:
            raise argparse.ArgumentTypeError(f"{part[:40]!r} is not SYMBOL=MOVE, like AAPL=-20%")
        shocks.append((symbol(name), _move(move)))
    return shocks


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in _PICTURES:
        raise argparse.ArgumentTypeError(f"{path.name!r} ends in none of {', '.join(_PICTURES)}")
    return path
