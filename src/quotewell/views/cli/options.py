"""Options that several commands share, and the service that they ask for."""

from __future__ import annotations

import argparse
import datetime as dt
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotewell.errors import SymbolError, UsageError

if TYPE_CHECKING:
    from quotewell.service import TickerService

__all__ = [
    "FILE_HELP",
    "SYMBOL_HELP",
    "Namespace",
    "Subparsers",
    "add_account",
    "add_beta",
    "add_books",
    "add_common",
    "add_mapping",
    "add_symbols",
    "add_valuation",
    "instant_of",
    "mapping_of",
    "number",
    "open_service",
    "symbol",
]

Namespace = argparse.Namespace
Subparsers = Any
"""`argparse._SubParsersAction`, which has no public name."""

FILE_HELP = "a broker's export, or a table with the columns symbol,quantity"
SYMBOL_HELP = "as Yahoo writes it: AAPL, BRK-B, VOD.L, ^GSPC, EURUSD=X, AAPL250417C00220000"
_SHOWN = 40
"""Characters of a wrong argument that a message repeats."""


def add_books(parser: argparse.ArgumentParser) -> None:
    """The files that are read as one book."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="+",
        help=f"{FILE_HELP}; several make one book",
    )


def add_symbols(parser: argparse.ArgumentParser, *, nargs: str) -> None:
    """Symbols to ask for."""
    parser.add_argument("symbols", nargs=nargs, metavar="SYMBOL", help=SYMBOL_HELP)


def add_common(
    parser: argparse.ArgumentParser,
    *,
    strict: bool = True,
    forms: argparse._MutuallyExclusiveGroup | None = None,
) -> None:
    """`--json`, beside other forms of output if there are `forms`, `--offline`, `--strict`."""
    (forms or parser).add_argument(
        "--json", action="store_true", help="print JSON, documented in docs/json.md"
    )
    parser.add_argument("--offline", action="store_true", help="use what is cached; never ask a provider")
    if strict:
        parser.add_argument(
            "--strict",
            action="store_true",
            help="exit with 3 if anything is missing, stale, disputed or rejected",
        )


def add_beta(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """`--benchmark`, `--beta`."""
    parser.add_argument(
        "--benchmark",
        metavar="SYMBOL",
        type=symbol,
        help="what betas are measured against (default ^GSPC)",
    )
    parser.add_argument(
        "--beta",
        choices=("computed", "weekly", "provider"),
        help="computed from daily returns (default), from weekly returns, or the provider's own",
    )


def add_account(parser: argparse.ArgumentParser) -> None:
    """`--account`."""
    parser.add_argument(
        "--account",
        metavar="NAME",
        action="append",
        default=[],
        help="only this account, by number or name; may be repeated",
    )


def add_valuation(parser: argparse.ArgumentParser) -> None:
    """When to value, and what may be assumed."""
    group = parser.add_argument_group("valuation")
    group.add_argument(
        "--as-of",
        metavar="DATE",
        type=_date,
        help="value at the close of a day like 2025-05-08, with nothing later (default: now; with "
        "--offline, the day of the file)",
    )
    group.add_argument(
        "--base", metavar="CUR", type=_currency, help="currency of all amounts, like EUR (default USD)"
    )
    add_beta(group)
    group.add_argument(
        "--assume-beta", metavar="X", type=number, help="take this where no beta is known; marked !"
    )
    group.add_argument(
        "--blume",
        action="store_true",
        help="move computed betas a third of the way to 1 (Blume's adjustment)",
    )
    group.add_argument(
        "--rate",
        metavar="[CUR=]X",
        action="append",
        default=[],
        type=_rate,
        help="interest rate a year, a fraction like 0.043, where none is known; CUR= names its "
        "currency (default USD); may be repeated",
    )
    group.add_argument(
        "--overrides",
        metavar="FILE",
        type=Path,
        help="a TOML file of your own prices, betas and more (docs/overrides.md)",
    )
    group.add_argument(
        "--cash-like", metavar="SYMBOL,…", type=_symbols, help="count these as cash, like SGOV,BIL"
    )
    group.add_argument(
        "--dividend-yield",
        metavar="X",
        type=_fraction,
        help="yield a year, a fraction like 0.02, where none is known",
    )


def add_mapping(parser: argparse.ArgumentParser) -> None:
    """`--map`, `--map-save`."""
    group = parser.add_argument_group("a table of your own")
    group.add_argument(
        "--map",
        metavar="FIELD=COLUMN,…|@NAME",
        help='which columns to read, like symbol=Ticker,quantity="Qty #"; or a saved mapping',
    )
    group.add_argument("--map-save", metavar="NAME", help="keep what --map says, for --map @NAME")


def mapping_of(options: Namespace) -> dict[str, str] | None:
    """The mapping that `--map` gives or names, saved if asked for; None without it.

    Raises:
        UsageError: It is none, or cannot be read or saved.
    """
    if options.map is None:
        if options.map_save is not None:
            raise UsageError("--map-save keeps what --map says", hint="give --map, too")
        return None
    from quotewell.portfolio.importers.mapping import checked_mapping, parse_mapping  # noqa: PLC0415
    from quotewell.settings import load_mapping, save_mapping  # noqa: PLC0415  only with --map

    named = options.map.startswith("@")
    mapping = checked_mapping(load_mapping(options.map[1:])) if named else parse_mapping(options.map)
    if options.map_save is not None:
        save_mapping(options.map_save, mapping)
    return mapping


def open_service(options: Namespace) -> TickerService:
    """The ticker service that the options ask for, with the timeouts of commands."""
    from quotewell.settings import load_settings  # noqa: PLC0415  `--help` needs no settings
    from quotewell.wiring import connect  # noqa: PLC0415

    arguments = {
        "offline": True if options.offline else None,
        "base_currency": getattr(options, "base", None),
        "benchmark": getattr(options, "benchmark", None),
        "beta": getattr(options, "beta", None),
        "overrides": getattr(options, "overrides", None),
    }
    settings = load_settings(arguments)
    return connect(load_settings({**arguments, "soft_timeout": settings.command_timeout}))


def instant_of(day: dt.date | None) -> float | None:
    """The close of `day`, epoch seconds."""
    from quotewell.calendars import close_of  # noqa: PLC0415  time zones, only with --as-of

    return None if day is None else close_of(day)


def _currency(text: str) -> str:
    from quotewell.symbols import currency_code  # noqa: PLC0415  only where it is given

    try:
        return currency_code(text)
    except SymbolError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _rate(text: str) -> tuple[str, float]:
    currency, separator, fraction = text.rpartition("=")
    return _currency(currency) if separator else "USD", _fraction(fraction)


def symbol(text: str) -> str:
    """An argument that is a ticker, in canonical form."""
    from quotewell.symbols import normalise  # noqa: PLC0415  only where it is given

    try:
        return normalise(text)
    except SymbolError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _symbols(text: str) -> frozenset[str]:
    return frozenset(symbol(part) for part in text.split(",") if part.strip())


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:_SHOWN]!r} is not a date like 2025-05-08") from None


def number(text: str) -> float:
    """An argument that is a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text[:_SHOWN]!r} is not a number")
    return value


def _fraction(text: str) -> float:
    value = number(text)
    if not -1 < value < 1:
        raise argparse.ArgumentTypeError(f"{text[:_SHOWN]!r} is not a fraction; 4.3 % is 0.043")
    return value
