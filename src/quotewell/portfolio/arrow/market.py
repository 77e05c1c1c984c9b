"""All that a valuation reads of the market as an Arrow table: one row for each reading.

A row's `facet` says which of the columns are filled. Of a symbol there may be several prices: the one that
is valued with is `chosen`; the broker's own has the level `reported`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from quotewell.errors import UsageError
from quotewell.portfolio.arrow.positions import holdings_from_arrow
from quotewell.portfolio.arrow.tables import (
    as_table,
    finite_of,
    from_codes,
    instants_of,
    integers_of,
    known,
    metadata_of,
    module,
    texts_of,
    to_instants,
    with_metadata,
)
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.columns import OPTION, STOCK
from quotewell.portfolio.holdings import encoded
from quotewell.portfolio.needs import needs_of_symbols
from quotewell.portfolio.reported import LEVEL, OVERRIDE, Candidates
from quotewell.portfolio.snapshot import Snapshot, take, until
from quotewell.protocols import TickerSource
from quotewell.records import (
    RECORD_TYPES,
    DividendEvent,
    Freshness,
    Payouts,
    Quote,
    Reading,
    Record,
)

__all__ = ["market_for", "market_to_arrow", "snapshot_from_arrow", "terms_from_arrow"]

_TEXTS = ("symbol", "facet", "level", "source", "currency", "type", "name", "method", "benchmark")
_NUMBERS = (
    "last", "bid", "ask", "beta", "standard_error", "r_squared", "dividend_yield", "rate", "years",
)  # fmt: skip
_INSTANTS = ("as_of", "fetched_at", "window_start", "window_end")
_TABLES = {
    "profile": "profiles",
    "risk": "risks",
    "dividend": "dividends",
    "payouts": "payouts",
    "rate": "rates",
    "fx": "fx",
}
_ABSENT = "absent"
"""The freshness of a reading without a value."""
_KNOWN = frozenset(("quote", *_TABLES))


def market_for(positions: Any, source: TickerSource, basis: Basis | None = None) -> Any:
    """Read from `source` all that the valuation of some positions reads, as a `pyarrow.Table`.

    What one process has fetched into a shared cache, all others read from there.

    Args:
        positions: A table as `Portfolio.to_arrow` writes it, or part of one.
        source: A ticker service, for instance.
        basis: Base currency, benchmark, and what the user gives.

    Raises:
        UsageError: The table is none of positions; or pyarrow is not installed.
    """
    basis = basis or Basis()
    holdings = holdings_from_arrow(positions)
    symbols = {
        kind: {holdings.symbols[code] for code in set(holdings.symbol[holdings.kind == kind].tolist())}
        for kind in (STOCK, OPTION)
    }
    currencies = {currency for currency in holdings.currencies if currency is not None}
    needs = needs_of_symbols(symbols[STOCK], symbols[OPTION], currencies, basis, source.now())
    return market_to_arrow(take(source, needs, basis.base_currency), basis)


def market_to_arrow(snapshot: Snapshot, basis: Basis) -> Any:
    """What a valuation reads, with the instant and the basis of the valuation in the metadata."""
    pa = module()
    rows = list(_rows(snapshot))
    records: list[Record | None] = [reading.record for _, reading, _ in rows]

    def said(name: str) -> list[Any]:
        return [getattr(record, name, None) for record in records]

    columns: dict[str, Any] = {}
    texts: dict[str, list[str | None]] = {
        "symbol": [reading.symbol for _, reading, _ in rows],
        "facet": [facet for facet, _, _ in rows],
        "level": [reading.level for _, reading, _ in rows],
        "freshness": [
            _ABSENT if reading.record is None else reading.freshness.name.lower() for _, reading, _ in rows
        ],
        "failure": [None if reading.failure is None else reading.failure.reason for _, reading, _ in rows],
        **{name: said(name) for name in _TEXTS[3:]},
    }
    for name, values in texts.items():
        distinct, codes = encoded(values)
        columns[name] = from_codes(codes, distinct)
    columns["chosen"] = pa.array([chosen for _, _, chosen in rows], pa.bool_())
    columns |= {name: pa.array(said(name), pa.float64()) for name in _NUMBERS}
    columns |= {name: to_instants(said(name)) for name in _INSTANTS}
    columns["n"] = pa.array(said("n"), pa.int64())
    events = [
        [msgspec.structs.asdict(event) for event in record.events] if isinstance(record, Payouts) else None
        for record in records
    ]
    columns["events"] = pa.array(events, _events_type(pa))
    return with_metadata(
        pa.table(columns), {"schema": 1, "at": snapshot.at, "basis": msgspec.to_builtins(basis)}
    )


def terms_from_arrow(market: Any) -> tuple[float | None, Basis]:
    """The instant and the basis of the valuation that a market table was made for.

    Raises:
        UsageError: The table does not say; its metadata was lost on the way through another program.
    """
    said = metadata_of(as_table(market, (), "market data"))
    if "at" not in said or "basis" not in said:
        raise UsageError(
            "the market data do not say for which instant and basis they are",
            hint="give at= and basis=, or keep the table's metadata",
        )
    return said["at"], msgspec.convert(said["basis"], Basis)


def snapshot_from_arrow(market: Any, at: float | None) -> Snapshot:
    """The readings of a market table.

    Args:
        market: As `market_to_arrow` writes it; columns that are left out are unknown, readings whose
            `freshness` is are fresh.
        at: The valuation instant; what the market said later does not count.

    Raises:
        UsageError: It is no such table.
    """
    table = as_table(market, ("symbol", "facet"), "market data")
    readings: dict[str, dict[str, Reading[Any]]] = {name: {} for name in _TABLES.values()}
    prices: dict[str, list[tuple[Reading[Quote], bool]]] = {}
    for facet, reading, chosen in _readings(table):
        if facet == "quote":
            prices.setdefault(reading.symbol, []).append((cast("Reading[Quote]", reading), chosen))
            continue
        if reading.symbol in readings[_TABLES[facet]]:
            raise UsageError(f"{reading.symbol}: several readings of the facet {facet}")
        readings[_TABLES[facet]][reading.symbol] = reading
    quotes = {symbol: _candidates(found) for symbol, found in prices.items()}
    return until(Snapshot(at=at, quotes=quotes, **readings))


def _rows(snapshot: Snapshot) -> Iterator[tuple[str, Reading[Any], bool]]:
    """Facet, reading, and whether it is valued with."""
    for symbol, found in snapshot.quotes.items():
        yield "quote", found.best, True
        for quote, level in ((found.service, "service"), (found.reported, LEVEL)):
            if quote is not None and quote is not found.best.record:
                yield "quote", Reading(symbol, quote, Freshness.FRESH, level), False
    for facet, name in _TABLES.items():
        table: Mapping[str, Reading[Any]] = getattr(snapshot, name)
        for reading in table.values():
            yield facet, reading, True


def _readings(table: Any) -> Iterator[tuple[str, Reading[Any], bool]]:
    columns: dict[str, Iterable[Any]] = {name: texts_of(table, name) for name in (*_TEXTS, "freshness")}
    columns |= {name: known(finite_of(table, name, "market data")) for name in _NUMBERS}
    columns |= {name: known(instants_of(table, name)) for name in _INSTANTS}
    columns["n"] = integers_of(table, "n")
    columns["events"] = (
        table["events"].to_pylist() if "events" in table.column_names else [None] * table.num_rows
    )
    choices = table["chosen"].to_pylist() if "chosen" in table.column_names else [None] * table.num_rows
    names = list(columns)
    for values, chosen in zip(zip(*columns.values(), strict=True), choices, strict=True):
        row = dict(zip(names, values, strict=True))
        facet = row["facet"]
        if facet not in _KNOWN or not row["symbol"]:
            raise UsageError(
                f"market data without a symbol, or of an unknown facet: {row['symbol']!r}, {facet!r}",
                hint=f"the facet is one of {', '.join(sorted(_KNOWN))}",
            )
        yield facet, _reading(facet, row), chosen is not False


def _reading(facet: str, row: dict[str, Any]) -> Reading[Any]:
    kind = RECORD_TYPES[facet]
    events = row.pop("events")
    fields = {name: row[name] for name in kind.__struct_fields__ if row.get(name) is not None}
    if events and facet == "payouts":
        fields["events"] = tuple(DividendEvent(**event) for event in events)
    said = row["freshness"] or "fresh"
    if said == _ABSENT:
        return Reading(row["symbol"], None, Freshness.NONE, row["level"] or "")
    if said.upper() not in Freshness.__members__:
        raise UsageError(
            f"{row['symbol']}: unknown freshness {said!r}",
            hint=f"one of {_ABSENT}, {', '.join(one.name.lower() for one in Freshness)}",
        )
    return Reading(row["symbol"], kind(**fields), Freshness[said.upper()], row["level"] or "")


def _candidates(found: list[tuple[Reading[Quote], bool]]) -> Candidates:
    chosen = [reading for reading, is_chosen in found if is_chosen]
    if len(chosen) != 1:
        raise UsageError(
            f"{found[0][0].symbol}: {len(chosen)} prices are chosen to value with, in place of one",
            hint="mark all others with chosen = false",
        )
    valued = [reading for reading, _ in found if reading.record is not None]
    reported = [reading.record for reading in valued if reading.level == LEVEL]
    service = [reading.record for reading in valued if reading.level not in (LEVEL, OVERRIDE)]
    return Candidates(chosen[0], next(iter(service), None), next(iter(reported), None))


def _events_type(pa: Any) -> Any:
    fields = [
        ("ex_date", pa.int64()),
        ("amount", pa.float64()),
        ("currency", pa.string()),
        ("declared", pa.bool_()),
    ]
    return pa.list_(pa.struct(fields))
