"""The dividends of options' underlyings from a simulated Yahoo: when they are asked for, and their use.

The clock stands on Wednesday, 28 December 2022, after the close. KO goes ex again in the middle of February.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from engine_parts import fetches_ended
from quotewell import Portfolio, TickerService
from quotewell.asof import AsOfSource
from quotewell.cache.store import Store
from quotewell.calendars import close_of
from quotewell.clock import ShiftedClock
from quotewell.demo import demo_now
from quotewell.errors import CacheError
from quotewell.portfolio.row import ValuedRow, row_of
from quotewell.readers import Readers
from quotewell.records import Freshness, Need, Payouts
from quotewell.settings import Settings
from quotewell.testing import MarketSimulator
from quotewell.wiring import connect

DAY = 86_400.0
LONG, SHORT, UNPAID, INDEX = (
    "KO230317C00060000",
    "KO230120C00065000",
    "AMD230317C00150000",
    "SPXW230317C06500000",
)
BOOK = "symbol,quantity,currency\n" + "".join(
    f"{symbol},1,USD\n" for symbol in (LONG, SHORT, UNPAID, INDEX, "JNJ")
)
COLD = {"cookie": 1, "crumb": 1, "quote": 1, "spark": 1, "chart": 1}


class Town:
    """A simulated market, and services over one cache."""

    def __init__(self, simulator: MarketSimulator, clock: ShiftedClock, folder: Path) -> None:
        self.simulator = simulator
        self.clock = clock
        self.settings = Settings(
            providers=("yahoo",),
            yahoo_base_url=simulator.yahoo_url,
            yahoo_rate=10_000.0,
            yahoo_burst=1_000,
            cache_dir=folder,
            calendars="plain",
        )

    @contextmanager
    def open(self) -> Iterator[TickerService]:
        with connect(self.settings, clock=self.clock) as tickers:
            yield tickers

    def sent(self) -> dict[str, int]:
        """The requests since it was last asked, once nothing is fetched any more."""
        fetches_ended()
        counts = dict(Counter(request.endpoint for request in self.simulator.requests))
        self.simulator.clear_log()
        return counts

    def days_go_by(self, days: float) -> None:
        self.clock.advance(days * DAY)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    clock = ShiftedClock(demo_now())
    with MarketSimulator(symbols=["KO", "AMD", "JNJ", "SPY"], now=clock.now) as simulator:
        yield Town(simulator, clock, tmp_path)


def valued(tickers: TickerService, *, at: float | None = None) -> dict[str, ValuedRow]:
    """The rows of the book by symbol, fetched as a command does."""
    book = Portfolio.from_csv(BOOK.encode(), tickers if at is None else AsOfSource(tickers, at))
    book.prefetch()
    columns = book.value()
    rows = [row_of(columns, number) for number in range(len(columns.entries))]
    return {str(row.symbol): row for row in rows}


def stored(tickers: TickerService, symbol: str = "KO") -> Payouts:
    found = tickers.stored([(symbol, "payouts")])[symbol, "payouts"]
    assert isinstance(found, Payouts)
    return found


def ex_dates(payouts: Payouts) -> list[str]:
    return [dt.date.fromordinal(event.ex_date).isoformat() for event in payouts.events]


def is_discrete(row: ValuedRow) -> bool:
    assert row.delta is not None
    return "discrete_dividends" in row.flags


def test_one_chart_for_each_underlying_that_pays_and_the_spot_model_where_it_matters(town: Town) -> None:
    with town.open() as tickers:
        rows = valued(tickers)
        assert town.sent() == COLD, (
            "AMD pays nothing, the index's yield is SPY's, and nobody has an option on JNJ"
        )
        assert [one.ex_date.isoformat() for one in rows[LONG].dividends] == ["2023-02-13"]
        assert {symbol: is_discrete(rows[symbol]) for symbol in (LONG, SHORT, UNPAID, INDEX)} == {
            LONG: True,
            SHORT: False,
            UNPAID: False,
            INDEX: False,
        }
        assert rows[LONG].dividend_yield == 0.0
        assert rows[SHORT].dividend_yield == pytest.approx(0.03)
        assert ex_dates(stored(tickers))[-2:] == ["2022-08-16", "2022-11-11"]
        assert valued(tickers)[LONG].delta == pytest.approx(rows[LONG].delta)
        assert town.sent() == {}
    with town.open() as tickers:
        assert valued(tickers)[LONG].delta == pytest.approx(rows[LONG].delta)
        assert town.sent() == {}, "after a restart"


def test_without_looking_at_yields_everybody_would_be_asked(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above."""

    def all_of_them(_: Readers, paid: Iterable[Need]) -> list[Need]:
        return list(paid)

    monkeypatch.setattr(Readers, "_of_payers", all_of_them)
    with town.open() as tickers:
        valued(tickers)
    assert town.sent() == {**COLD, "chart": 2}


def test_the_next_day_the_yield_is_new_and_the_dividends_are_kept(town: Town) -> None:
    with town.open() as tickers:
        valued(tickers)
        before = stored(tickers)
        town.sent()
        town.days_go_by(1.2)
        rows = valued(tickers)
        assert "chart" not in town.sent()
        dividend = tickers.dividends(["KO"])["KO"].record
        assert dividend is not None
        assert dividend.fetched_at is not None
        assert before.fetched_at is not None
        assert dividend.fetched_at > before.fetched_at + DAY
        assert (stored(tickers).fetched_at, stored(tickers).events) == (before.fetched_at, before.events)
        assert is_discrete(rows[LONG])


def test_a_quarter_costs_about_one_chart(town: Town) -> None:
    charts = 0
    with town.open() as tickers:
        for _ in range(90):
            tickers.prefetch([("KO", "dividend"), ("KO", "payouts"), ("AMD", "dividend"), ("AMD", "payouts")])
            charts += town.sent().get("chart", 0)
            town.days_go_by(1.0)
        assert ex_dates(stored(tickers))[-1] == "2023-02-08", "the one that was expected on the 13th"
    assert charts == 2  # the first, and the one after the ex-date


def test_who_pays_no_more_is_not_asked_any_more(town: Town) -> None:
    needs = [("KO", "dividend"), ("KO", "payouts")]
    with town.open() as tickers:
        tickers.prefetch(needs)
        assert town.sent()["chart"] == 1
        old = town.simulator.market.instrument("KO")
        assert old is not None
        town.simulator.market.add(msgspec.structs.replace(old, dividend_yield=0.0))
        town.days_go_by(60.0)
        report = tickers.prefetch(needs)
        assert town.sent() == {"quote": 1}
        assert report.outcomes["KO", "payouts"].status == "kept"


def test_a_chart_that_fails_leaves_the_yield_and_blocks_nothing(town: Town) -> None:
    fault = town.simulator.fault("500", endpoint="chart")
    with town.open() as tickers:
        rows = valued(tickers)
        assert fault.hits > 0
        assert not is_discrete(rows[LONG])
        assert rows[LONG].dividend_yield == pytest.approx(0.03)
        assert rows["JNJ"].price is not None
        reading = tickers.peek([("KO", "payouts")])["KO", "payouts"]
        assert reading.record is None
        assert reading.failure is not None
        assert "500" in reading.failure.reason
        town.simulator.clear_faults()
        town.days_go_by(1.0)
        assert is_discrete(valued(tickers)[LONG])


def test_a_chart_that_fails_later_leaves_the_dividends(town: Town) -> None:
    with town.open() as tickers:
        valued(tickers)
        before = stored(tickers).events
        town.simulator.fault("500", endpoint="chart")
        town.days_go_by(50.0)
        valued(tickers)
        found = tickers.peek([("KO", "payouts")])["KO", "payouts"]
        assert found.freshness == Freshness.STALE
        assert found.failure is not None
        assert found.record is not None
        assert stored(tickers).events == before


def test_a_day_in_the_past_knows_what_had_gone_ex_by_then(town: Town) -> None:
    with town.open() as tickers:
        valued(tickers)
        town.sent()
        then = close_of(dt.date(2022, 10, 3))
        row = valued(tickers, at=then)[LONG]
        assert town.sent() == {}, "nothing else is asked for"
        reading = AsOfSource(tickers, then).payouts(["KO", "AMD"])
        assert reading["KO"].record is not None
        assert ex_dates(reading["KO"].record)[-1] == "2022-08-16"
        assert reading["AMD"].record is None
        projected = [(one.ex_date.isoformat(), one.projected) for one in row.dividends]
        assert projected == [("2022-11-16", True), ("2023-02-16", True)], "one went ex on the 11th in truth"


def test_after_a_split_dividends_are_those_of_the_new_shares(town: Town) -> None:
    with town.open() as tickers:
        valued(tickers)
        before = stored(tickers).events
        town.days_go_by(2.0)
        town.simulator.market.split("KO", 4.0)
        town.days_go_by(6.0)
        town.sent()
        valued(tickers)  # a week later closes are asked for, and are of another vintage
        after = stored(tickers).events
        assert [event.ex_date for event in after] == [event.ex_date for event in before]
        assert [event.amount for event in after] == pytest.approx(
            [event.amount / 4.0 for event in before], abs=1e-4
        )
        assert town.sent()["chart"] == 1
        then = AsOfSource(tickers, close_of(dt.date(2022, 12, 28))).payouts(["KO"])["KO"].record
        assert then is not None
        assert [event.amount for event in then.events] == pytest.approx(
            [event.amount for event in before], abs=1e-3
        )


def closes_of_another_vintage(town: Town, tickers: TickerService) -> Freshness:
    """Ask for closes after a split while no chart is to be had; how usable the known dividends are then."""
    tickers.prefetch([("KO", "history"), ("KO", "dividend"), ("KO", "payouts")])
    assert stored(tickers).events
    town.days_go_by(1.0)
    town.simulator.market.split("KO", 4.0)
    town.simulator.fault("500", endpoint="chart")
    tickers.prefetch([("KO", "history")])
    return tickers.peek([("KO", "payouts")])["KO", "payouts"].freshness


def test_dividends_of_old_shares_are_no_value_even_while_there_are_none_of_new_ones(town: Town) -> None:
    with town.open() as tickers:
        assert closes_of_another_vintage(town, tickers) == Freshness.NONE


def test_where_the_cache_cannot_forget_them_the_closes_stay_as_they_are_too(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_reach(*_: object, **__: object) -> int:
        raise CacheError("the cache is read-only")

    monkeypatch.setattr(Store, "invalidate", out_of_reach)
    with town.open() as tickers:
        assert closes_of_another_vintage(town, tickers) == Freshness.FRESH
        reading = tickers.peek([("KO", "history")])["KO", "history"]
        assert reading.failure is not None
        assert "the cache is read-only" in reading.failure.reason
        [event] = stored(tickers).events[-1:]
        assert event.amount == pytest.approx(tickers.stored_closes(["KO"])["KO"].dividends[-1].amount)


def test_a_plan_says_how_many_may_come_on_top(town: Town) -> None:
    with town.open() as tickers:
        book = Portfolio.from_csv(BOOK.encode(), tickers)
        plan = tickers.plan(book.needs())
        assert ({one.endpoint: one.requests for one in plan.requests}, plan.possible) == (
            {"quote": 1, "spark": 1},
            2,
        )
        assert plan.unsupported == ()
        tickers.prefetch([("KO", "dividend"), ("AMD", "dividend")])
        plan = tickers.plan([("KO", "payouts"), ("AMD", "payouts")])
        assert ({one.endpoint: one.requests for one in plan.requests}, plan.possible) == ({"chart": 1}, 0)
        assert plan.fresh == 1
        book.prefetch()
        assert (tickers.plan(book.needs()).total, tickers.plan(book.needs()).possible) == (0, 0)
