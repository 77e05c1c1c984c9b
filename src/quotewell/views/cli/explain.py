"""`quotewell explain SYMBOL`: every value known of a symbol, where it comes from and how old it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from quotewell.records import Dividend, Facet, Failure, Need, Quote, Reading, Record
from quotewell.symbols import Option, SymbolKind, kind, normalise, parse_option
from quotewell.views.cli.exits import FAILED, FINE
from quotewell.views.cli.options import Namespace, Subparsers, add_beta, add_common, open_service
from quotewell.views.cli.output import print_json, print_lines
from quotewell.views.words import NOT_AVAILABLE, age, aligned, count, iso, number, printable

if TYPE_CHECKING:
    from quotewell.portfolio.payouts import Payout

__all__ = ["add", "run"]

_FACETS: tuple[Facet, ...] = ("quote", "profile", "risk", "dividend", "history")
_FACETS_OF_KIND: dict[SymbolKind, tuple[Facet, ...]] = {
    "option": ("quote",),
    "fx": ("fx", "quote", "history"),
    "rate": ("rate",),
}
_PLUMBING = frozenset(Record.__struct_fields__)
_A_YEAR = dt.timedelta(days=365)
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
    option = parse_option(name)
    payer = name if option is None else option.underlying
    with open_service(options) as tickers:
        needs: list[Need] = [(name, facet) for facet in asked]
        if option is not None and payer is not None:
            needs.append((payer, "dividend"))
        readings = tickers.read(needs, grace=False)
        now, requests = tickers.now(), tickers.requests
    facets = {facet: readings[name, facet] for facet in asked}
    dividend = readings.get((payer, "dividend")) if payer is not None else None
    payouts = _payouts(payer, option, facets, dividend, now)
    if options.json:
        blocks = {facet: _block(reading) for facet, reading in facets.items()}
        print_json({"schema": 1, "symbol": name, "facets": blocks, "payouts": payouts, "requests": requests})
    else:
        print_lines(_text(name, facets, now) + _schedule(payer, option, payouts))
    return FINE if any(reading.usable for reading in facets.values()) else FAILED


def _payouts(
    payer: str | None,
    option: Option | None,
    facets: Mapping[Facet, Reading[Record]],
    dividend: Reading[Record] | None,
    now: float,
) -> list[Payout]:
    """The dividends that options are valued with, to expiry or for a year; empty where a yield is."""
    if payer is None or dividend is None or not isinstance(dividend.record, Dividend):
        return []
    if not dividend.record.events:
        return []
    from quotewell.portfolio.inputs import currency_of  # noqa: PLC0415  numpy, only where there are any
    from quotewell.portfolio.needs import valuation_day  # noqa: PLC0415  likewise
    from quotewell.portfolio.payouts import payouts_until  # noqa: PLC0415  likewise

    quoted = facets["quote"].record if "quote" in facets else None
    currency = currency_of(payer, quoted.currency if isinstance(quoted, Quote) else None)
    last = valuation_day(now) + _A_YEAR if option is None else option.expiry
    found = payouts_until(last, dividend.record.events, currency, 1.0, now)
    return [payout for payout in found if payout.years > 0.0]


def _schedule(payer: str | None, option: Option | None, payouts: Sequence[Payout]) -> str:
    if not payouts:
        return ""
    reach = "of a year" if option is None else f"of {payer} until expiry"
    rows = [
        [f"  {one.ex_date.isoformat()}", number(one.amount, 4), "projected" if one.projected else "known"]
        for one in payouts
    ]
    return f"\n\nex-dates {reach}, with which options are valued\n" + aligned(rows, left=(0, 2))


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
