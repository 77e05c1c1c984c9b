"""`Portfolio`: one broker's file, valued against a ticker source."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

import msgspec

from quotewell.errors import UsageError
from quotewell.outcomes import PrefetchReport, Progress
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.importers import ImportedFile, RejectedRow, read_positions
from quotewell.portfolio.needs import Entry, needs_of
from quotewell.portfolio.offline import NoTickers
from quotewell.portfolio.positions import PendingActivity, Position, bind_all
from quotewell.portfolio.problems import Problem
from quotewell.portfolio.reported import ReportedPrices
from quotewell.portfolio.snapshot import Snapshot, take
from quotewell.protocols import TickerSource
from quotewell.records import Facet, Need, Reading, Record

if TYPE_CHECKING:
    from quotewell.portfolio.columns import Columns
    from quotewell.portfolio.summary import Summary, UnderlyingRow, WhatIfPoint

__all__ = ["MOVES", "Portfolio"]

MOVES = (-0.20, -0.10, -0.05, -0.02, 0.0, 0.02, 0.05, 0.10, 0.20)
"""Market moves of the report's what-if, fractions."""

_YIELD_OF_SCENARIO = 0.02
_TOGETHER_AGAIN = 30.0
"""Seconds after which a whole book is looked at again for what has grown old: as a failure's throttle."""


@runtime_checkable
class BulkSource(Protocol):
    """A `TickerSource` that brings any mix of symbols and facets in one plan, as the ticker service does."""

    def now(self) -> float:
        """The valuation instant, epoch seconds."""
        ...

    def in_memory(self, symbol: str, facet: Facet) -> bool:
        """Whether it would answer without disk, provider or waiting."""
        ...

    def read(self, needs: Iterable[Need]) -> Mapping[Need, Reading[Record]]:
        """Answer all needs."""
        ...


class Portfolio:
    """The positions of one file, and what they are worth and exposed to.

    Without `at` the valuation instant is now, or, offline, the as-of of the file's own prices; if that is not
    known there is none, and whatever depends on time is unknown. A file without an as-of is taken to be of
    `at` where that is given.

    Args:
        file: What an importer has read.
        tickers: Where market data comes from; None values the book at the file's own prices.
        basis: Base currency, benchmark, and what the user gives; by default those of the ticker service.
        at: The valuation instant, epoch seconds.
        offline: Whether `tickers` cannot ask anybody, so that there is no now.
    """

    def __init__(
        self,
        file: ImportedFile,
        tickers: TickerSource | None = None,
        *,
        basis: Basis | None = None,
        at: float | None = None,
        offline: bool | None = None,
    ) -> None:
        self.file = file
        self.tickers = tickers
        self.basis = _basis_of(tickers) if basis is None else basis
        self.as_of = at if file.as_of is None else file.as_of
        """When the file's prices were the market's, as far as known."""
        self._fetched_at = -math.inf
        if file.base_currency not in (None, self.basis.base_currency):
            for entry in self._entries:  # rates to another currency than that of this report
                entry.fx_rate = None
        self.requests = 0
        """Requests that `prefetch` has cost so far."""
        if offline is None:
            offline = tickers is None or bool(_setting(tickers, "offline", default=False))
        if at is None and offline:
            at = file.as_of
        self._dated = at is not None or not offline
        self.source = ReportedPrices(
            NoTickers() if tickers is None else tickers,
            file.positions,
            broker=file.broker,
            as_of=self.as_of,
            at=at,
            prices=self.basis.prices,
            together=None if offline else self._fetch_together,
        )
        """What the positions ask: the ticker source, with the file's prices laid over it."""
        bind_all(self._entries, self.source, self.basis, dated=self._dated)

    @classmethod
    def from_csv(
        cls,
        path: str | Path | bytes | BinaryIO,
        tickers: TickerSource | None = None,
        *,
        name: str | None = None,
        basis: Basis | None = None,
        at: float | None = None,
        offline: bool | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> Portfolio:
        """Read a broker's export or a plain table; the broker is recognised.

        Args:
            path: A path, the content, or an open binary file.
            tickers: As in the class.
            name: What messages call the file; the path by default.
            basis: As in the class.
            at: As in the class.
            offline: As in the class.
            mapping: Field to the heading of its column, where the headings are one's own.

        Raises:
            ImportFailed: If the file cannot be read.
        """
        file = read_positions(path, name, mapping=mapping)
        return cls(file, tickers, basis=basis, at=at, offline=offline)

    @classmethod
    def from_arrow(
        cls,
        table: Any,
        tickers: TickerSource | None = None,
        *,
        name: str = "table",
        as_of: float | None = None,
        basis: Basis | None = None,
        at: float | None = None,
        offline: bool | None = None,
    ) -> Portfolio:
        """Read positions from a table of pyarrow, pandas, polars or another that speaks Arrow.

        Args:
            table: With the columns `symbol` and `quantity` at least; see docs/columns.md.
            tickers: As in the class.
            name: What messages call it, where its metadata does not say.
            as_of: When its prices were the market's, epoch seconds; by default what the table says.
            basis: As in the class.
            at: As in the class.
            offline: As in the class.

        Raises:
            UsageError: It is no such table, or pyarrow is not installed.
        """
        from quotewell.portfolio.arrow import file_from_arrow  # noqa: PLC0415  an extra

        file = file_from_arrow(table, name=name, as_of=as_of)
        return cls(file, tickers, basis=basis, at=at, offline=offline)

    def to_arrow(self) -> Any:
        """What the broker said, as a `pyarrow.Table` with one row for each position and pending amount.

        Raises:
            UsageError: pyarrow is not installed.
        """
        from quotewell.portfolio.arrow import positions_to_arrow  # noqa: PLC0415  an extra

        return positions_to_arrow(self._entries, self.file)

    def market_to_arrow(self) -> Any:
        """All that the valuation reads of the market, as a `pyarrow.Table`: the other half of `exposures`.

        Raises:
            UsageError: pyarrow is not installed.
        """
        from quotewell.portfolio.arrow import market_to_arrow  # noqa: PLC0415  an extra

        return market_to_arrow(self._snapshot(), self.basis)

    @property
    def positions(self) -> list[Position]:
        """All positions, in the order of the file."""
        return self.file.positions

    @property
    def pending(self) -> list[PendingActivity]:
        """Amounts of trades that are not settled."""
        return self.file.pending

    @property
    def rejected(self) -> list[RejectedRow]:
        """Rows that could not be read."""
        return self.file.rejected

    @property
    def at(self) -> float | None:
        """The valuation instant, epoch seconds; None if it is not known."""
        return self.source.now() if self._dated else None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is missing, disputed, assumed or old."""
        return self._problems(self.value())

    def needs(self) -> set[Need]:
        """The symbols and facets that the report reads."""
        return needs_of(self._entries, self.basis, self.at)

    def needs_by_size(self) -> list[Need]:
        """`needs`, those of the largest holdings first, by the broker's values: where not all can be had."""
        size: dict[str, float] = {}
        for position in self.positions:
            value = abs(position.value or 0.0)
            for symbol in {position.symbol, position.underlying}:
                if symbol is not None:
                    size[symbol] = size.get(symbol, 0.0) + value
        return sorted(self.needs(), key=lambda need: (-size.get(need[0], 0.0), need))

    def prefetch(
        self, *, timeout: float | None = None, progress: Callable[[Progress], None] | None = None
    ) -> PrefetchReport:
        """Fetch all that the report reads, in one plan, the largest holdings first.

        Args:
            timeout: Seconds to wait at most; default `settings.prefetch_timeout`.
            progress: Told in the calling thread, several times a second while it waits, how far it is.

        Returns:
            The outcome of every need, and the requests it took.

        Raises:
            UsageError: If the book has no ticker service.
        """
        prefetch = getattr(self.tickers, "prefetch", None)
        if prefetch is None:
            raise UsageError(
                "there is no ticker service to prefetch with", hint="Portfolio.from_csv(path, tickers=...)"
            )
        report: PrefetchReport = prefetch(self.needs_by_size(), timeout=timeout, progress=progress)
        self.requests += report.requests
        return report

    def value(self) -> Columns:
        """Value the book: one row for each position and pending amount, as columns."""
        from quotewell.portfolio.valuation import value_book  # noqa: PLC0415  imports numpy

        return value_book(self._entries, self._snapshot(), self.basis)

    def by_underlying(self) -> tuple[UnderlyingRow, ...]:
        """Value, exposure and beta of each underlying with all its legs, the largest exposure first."""
        from quotewell.portfolio.exposures import netted  # noqa: PLC0415  imports numpy
        from quotewell.portfolio.report import underlying_rows  # noqa: PLC0415
        from quotewell.portfolio.totals import known_sum  # noqa: PLC0415

        columns = self.value()
        return underlying_rows(columns, netted(columns), self.basis, known_sum(columns.value))

    def what_if(
        self,
        market: Sequence[float] = MOVES,
        *,
        shocks: Mapping[str, float] | None = None,
        days: float = 0.0,
        volatility: float = 0.0,
    ) -> tuple[WhatIfPoint, ...]:
        """Profit or loss if the market moves by each of these fractions, in base currency.

        A stock moves by its beta times that, an option by its model. An option that expires within `days`
        is worth its intrinsic value at the moved price. Where a dividend is known, the price falls by it at
        its ex-date and the holder gets it; yields and interest are not counted as income.

        Args:
            market: Moves of the benchmark, fractions.
            shocks: By symbol of a stock or underlying: its own move, a fraction, in place of beta times the
                market's.
            days: Calendar days that pass until then.
            volatility: Shift of every implied volatility, in points: 5.0 turns 30 % into 35 %.

        Raises:
            UsageError: A number is not finite, `days` negative, or no position moves with a shocked symbol.
        """
        from quotewell.portfolio.totals import known_sum  # noqa: PLC0415  imports numpy
        from quotewell.portfolio.what_if import what_if  # noqa: PLC0415

        columns = self.value()
        value = known_sum(columns.value)
        return what_if(columns, list(market), value, shocks=shocks, days=days, volatility=volatility)

    def summary(
        self,
        *,
        moves: Sequence[float] | None = None,
        requests: int | None = None,
        columns: Columns | None = None,
    ) -> Summary:
        """The whole report.

        Args:
            columns: What `value` has said, where the report has to be of the same moment; else it is valued.
            moves: Market moves of the what-if, fractions; those of the report by default.
            requests: Requests that the report has cost; those of `prefetch` by default.
        """
        from quotewell.portfolio import exposures, report, summary, totals, what_if  # noqa: PLC0415  imports numpy

        columns = self.value() if columns is None else columns
        value = totals.value_totals(columns)
        netted = exposures.netted(columns)
        by_leg = exposures.exposure_by_leg(columns, value.total)
        return summary.Summary(
            broker=self.file.broker,
            file=self.file.path,
            accounts=self.file.accounts,
            as_of=report.instant(self.as_of),
            valuation_at=report.instant(columns.snapshot.at),
            base_currency=self.basis.base_currency,
            benchmark=self.basis.benchmark,
            counts=report.counts(self.file, columns),
            value=value,
            exposure=by_leg,
            exposure_by_underlying=exposures.net_exposures(columns, netted, value.total),
            coverage=exposures.coverage(columns),
            freshness=report.price_freshness(columns),
            betas=report.beta_state(columns, self.basis),
            greeks=exposures.greeks(columns),
            by_underlying=report.underlying_rows(columns, netted, self.basis, value.total),
            by_account=totals.by_account(columns, value.total),
            by_currency=totals.by_currency(columns),
            what_if=what_if.what_if(columns, MOVES if moves is None else moves, value.total),
            expiring=report.expiring(columns),
            disputed=totals.disputed_rows(columns),
            assumptions=self._assumptions(columns, by_leg.net.total),
            problems=self._problems(columns),
            requests=self.requests if requests is None else requests,
        )

    def _fetch_together(self, needs: Collection[Need]) -> None:
        """Before a position or the book reads: if anything has to be fetched, fetch all that the book needs.

        Positions that are asked one after the other would else cost a request each. What could not be had is
        asked for position by position for a while; the service knows what not to ask again.
        """
        tickers = self.tickers
        if not isinstance(tickers, BulkSource) or all(tickers.in_memory(*need) for need in needs):
            return
        now = tickers.now()
        if not self._fetched_at <= now < self._fetched_at + _TOGETHER_AGAIN:
            self._fetched_at = now
            tickers.read(dict.fromkeys([*self.needs_by_size(), *needs]))

    def _snapshot(self) -> Snapshot:
        return take(self.source, self.needs(), self.basis.base_currency, dated=self._dated)

    @property
    def _entries(self) -> list[Entry]:
        return [*self.file.positions, *self.file.pending]

    def _problems(self, columns: Columns) -> tuple[Problem, ...]:
        from quotewell.portfolio.findings import find_problems  # noqa: PLC0415  imports numpy

        return find_problems(self.file, columns, as_of_known=self.as_of is not None)

    def _assumptions(self, columns: Columns, net: float | None) -> Any:
        from quotewell.portfolio import exposures, summary  # noqa: PLC0415  imports numpy
        from quotewell.portfolio.flags import Flag  # noqa: PLC0415
        from quotewell.portfolio.valuation import value_book  # noqa: PLC0415

        dividend = int(columns.has(Flag.ASSUMED_DIVIDEND).sum())
        change = None
        if dividend and net is not None:
            basis = msgspec.structs.replace(self.basis, dividend_yield=_YIELD_OF_SCENARIO)
            scenario = value_book(columns.entries, columns.snapshot, basis)
            other = exposures.exposure_by_leg(scenario, None).net.total
            change = None if other is None else other - net
        rate = int(columns.has(Flag.ASSUMED_RATE).sum())
        return summary.Assumptions(rate=rate, dividend=dividend, net_exposure_change=change)


def _basis_of(tickers: TickerSource | None) -> Basis:
    default = Basis()
    return Basis(
        base_currency=_setting(tickers, "base_currency", default=default.base_currency),
        benchmark=_setting(tickers, "benchmark", default=default.benchmark),
    )


def _setting(tickers: TickerSource | None, name: str, *, default: Any) -> Any:
    """A setting of the ticker service; views of a service at one instant, and tests' sources, have none."""
    return getattr(getattr(tickers, "settings", None), name, default)
