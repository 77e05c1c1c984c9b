"""`quotewell explain SYMBOL`: every value known of a symbol, where it comes from and how old it is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from quotewell.records import Facet, Failure, Reading, Record
from quotewell.symbols import SymbolKind, kind, normalise
from quotewell.views.cli.exits import FAILED, FINE
from quotewell.views.cli.options import Namespace, Subparsers, add_beta, add_common, open_service
from quotewell.views.cli.output import print_json, print_lines
from quotewell.views.words import NOT_AVAILABLE, age, aligned, count, iso, number, printable

__all__ = ["add", "run"]

_FACETS: tuple[Facet, ...] = ("quote", "profile", "risk", "dividend", "history")
_FACETS_OF_KIND: dict[SymbolKind, tuple[Facet, ...]] = {
    "option": ("quote",),
    "fx": ("fx", "quote", "history"),
    "rate": ("rate",),
}
_PLUMBING = frozenset(Record.__struct_fields__)
_INSTANTS = ("window_start", "window_end")


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("explain", help="every value known of a symbol, its source and age")
    parser.add_argument("symbol", metavar="SYMBOL")
    add_beta(parser)
    add_common(parser, strict=False)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print one block for each facet."""
    name = normalise(options.symbol)
    asked = _FACETS_OF_KIND.get(kind(name), _FACETS)
    with open_service(options) as tickers:
        readings = tickers.read([(name, facet) for facet in asked], grace=False)
        now, requests = tickers.now(), tickers.requests
    facets = {facet: readings[name, facet] for facet in asked}
    if options.json:
        blocks = {facet: _block(reading) for facet, reading in facets.items()}
        print_json({"schema": 1, "symbol": name, "facets": blocks, "requests": requests})
    else:
        print_lines(_text(name, facets, now))
    return FINE if any(reading.usable for reading in facets.values()) else FAILED


def _block(reading: Reading[Record]) -> dict[str, Any]:
    record, provenance, failure = reading.record, reading.provenance, reading.failure
    return {
        "values": _values(record) if record is not None else None,
        "source": provenance.source if provenance else None,
        "as_of": iso(provenance.as_of) if provenance else None,
        "fetched_at": iso(provenance.fetched_at) if provenance else None,
        "freshness": reading.freshness.name.lower(),
        "level": reading.level or None,
        "failure": _failure(failure) if failure is not None else None,
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "kind": failure.kind,
        "reason": failure.reason,
        "source": failure.source,
        "count": failure.count,
        "last_at": iso(failure.last_at),
        "retry_at": iso(failure.retry_at),
    }


def _values(record: Record) -> dict[str, Any]:
    """The record's own fields, times and days as text."""
    fields = (field for field in record.__struct_fields__ if field not in _PLUMBING)
    return {field: _plain(field, getattr(record, field)) for field in fields}


def _plain(field: str, value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(name, getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_plain(field, item) for item in value]
    if isinstance(value, int) and field.endswith("_date"):
        return dt.date.fromordinal(value).isoformat()
    if isinstance(value, float) and field in _INSTANTS:
        return iso(value)
    return value


def _text(name: str, facets: dict[Facet, Reading[Record]], now: float) -> str:
    blocks = [name]
    for facet, reading in facets.items():
        lines = [f"\n{facet}"]
        provenance, failure = reading.provenance, reading.failure
        if provenance is not None:
            seen = provenance.as_of or provenance.fetched_at
            market = f"as of {iso(provenance.as_of)}" if provenance.as_of else "as of unknown"
            lines.append(
                f"  {provenance.source}, {market} ({age(now - seen)} old), "
                f"fetched {iso(provenance.fetched_at)}, "
                f"{provenance.freshness.name.lower()}, from {provenance.level}"
            )
        if reading.record is not None:
            known = {
                field: value for field, value in _values(reading.record).items() if value not in (None, [])
            }
            rows = [[f"  {field}", _word(value)] for field, value in known.items()]
            lines.append(aligned(rows, left=(0, 1)))
        if failure is not None:
            lines.append(
                f"  last failure: {printable(failure.reason)} ({failure.source or 'quotewell'}, "
                f"{iso(failure.last_at)}, {failure.count} in a row, next try after {iso(failure.retry_at)})"
            )
        elif reading.record is None:
            lines.append(f"  {NOT_AVAILABLE}: not cached, and no provider was asked")
        blocks += lines
    return "\n".join(blocks)


def _word(value: object) -> str:
    if isinstance(value, float):
        text = number(value, 6)
        return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
    if isinstance(value, list):
        return count(len(value), "entry", "entries") + ", --json shows them"
    return printable(str(value))
