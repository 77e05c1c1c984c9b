"""What today's shares were worth at other closes: what is in it, and when there is nothing to say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import pairwise

import pytest

from overviews import MARKET, file_of, shown
from quotewell.asof import AsOfSource
from quotewell.calendars import close_of
from quotewell.portfolio.past_values import PastValues, past_values
from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.positions import CashPosition, Position
from quotewell.records import Closes, Quote, Split
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.testing.source import FakeSource
from quotewell.views.content.key_figures import key_figures
from quotewell.views.content.overview import overview
from quotewell.wiring import connect
from valued_books import AT, CALL, option, stock, valued

LAST = dt.date(2025, 5, 8)


def weekdays(count: int, last: dt.date = LAST) -> list[int]:
    days = [last - dt.timedelta(days=back) for back in range(2 * count + 5)]
    return [day.toordinal() for day in days if day.weekday() < 5][count - 1 :: -1]


def closes(
    symbol: str, count: int = 80, *, last: dt.date = LAST, step: float = 1.0, **fields: object
) -> Closes:
    """Closes that rise by `step` a day to 190."""
    prices = [190.0 - step * (count - 1 - place) for place in range(count)]
    return Closes(symbol=symbol, source="fake", dates=weekdays(count, last), closes=prices, **fields)  # type: ignore[arg-type]


def past(
    *positions: Position, series: Mapping[str, Closes], currencies: Mapping[str, str] | None = None
) -> PastValues | None:
    columns = valued(positions, FakeSource(MARKET, now=AT))
    return past_values(columns, series, currencies or dict.fromkeys(MARKET, "USD"))


def test_todays_shares_at_the_last_sixty_closes() -> None:
    found = past(stock("AMZN", 60.0), stock("AMZN", 40.0), series={"AMZN": closes("AMZN")})
    assert found is not None
    assert len(found.dates) == len(found.values) == 60
    assert (found.dates[0], found.dates[-1]) == (dt.date(2025, 2, 14), LAST)
    assert found.values[-1] == 19_000.0
    assert [after - before for before, after in pairwise(found.values)] == [100.0] * 59
    assert (found.share, found.missing, found.converted) == (1.0, (), False)


def test_what_is_sold_short_counts_against_it() -> None:
    series = {"AMZN": closes("AMZN"), "KO": closes("KO", step=0.0)}
    found = past(stock("AMZN", 10.0), stock("KO", -5.0), series=series)
    assert found is not None
    assert found.values[-1] == 10 * 190.0 - 5 * 190.0


def test_options_and_the_unpriced_are_not_in_it_and_cash_is_no_part_of_the_book() -> None:
    cash = CashPosition(symbol="USD", quantity=9e9, value=9e9, currency="USD")
    escrow = stock("021ESC017", 33.0, value=2_000.0)
    found = past(stock("AMZN", 100.0), option(CALL, -10.0), escrow, cash, series={"AMZN": closes("AMZN")})
    assert found is not None
    assert found.values[-1] == 19_000.0
    assert found.share == pytest.approx(19_000 / (19_000 + 3_000 + 2_000))
    assert found.missing == ("021ESC017",)


@pytest.mark.parametrize(
    ("quantity", "series"),
    [
        pytest.param(100.0, {}, id="no closes"),
        pytest.param(100.0, {"AMZN": closes("AMZN", 19)}, id="too few"),
        pytest.param(100.0, {"AMZN": closes("AMZN", last=LAST - dt.timedelta(days=9))}, id="they have ended"),
        pytest.param(1.0, {"AMZN": closes("AMZN")}, id="less than half of the book"),
    ],
)
def test_there_is_no_line_without_enough_to_draw_it_of(quantity: float, series: dict[str, Closes]) -> None:
    assert past(stock("AMZN", quantity), option(CALL, -1.0), series=series) is None


def test_the_young_and_the_interrupted_are_left_out() -> None:
    gap = closes("KO")
    hole = slice(30, 40)
    del gap.dates[hole], gap.closes[hole]
    series = {"AMZN": closes("AMZN"), "KO": gap}
    found = past(stock("AMZN", 100.0), stock("KO", 10.0), series=series)
    assert found is not None
    assert (found.missing, found.values[-1]) == (("KO",), 19_000.0)
    found = past(stock("AMZN", 100.0), stock("KO", 10.0), series={**series, "KO": closes("KO", 30)})
    assert found is not None
    assert found.missing == ("KO",)


def test_a_holiday_of_one_exchange_has_its_last_close() -> None:
    other = closes("KO")
    del other.dates[-2], other.closes[-2]
    found = past(stock("AMZN", 100.0), stock("KO", 10.0), series={"AMZN": closes("AMZN"), "KO": other})
    assert found is not None
    assert (len(found.dates), found.missing) == (60, ())
    assert found.values[-2] == 100 * 189.0 + 10 * 188.0
    # Where the larger part rests there is no session.
    found = past(stock("AMZN", 1.0), stock("KO", 10.0), series={"AMZN": closes("AMZN"), "KO": other})
    assert found is not None
    assert LAST - dt.timedelta(days=1) not in found.dates


def test_closes_in_another_currency_than_the_price_are_not_multiplied() -> None:
    series = {"AMZN": closes("AMZN"), "KO": closes("KO")}
    found = past(
        stock("AMZN", 100.0), stock("KO", 10.0), series=series, currencies={"AMZN": "USD", "KO": "EUR"}
    )
    assert found is not None
    assert found.missing == ("KO",)


def test_other_currencies_are_at_todays_rate() -> None:
    price = Quote(symbol="SHEL.L", last=26.0, currency="GBP")
    source = FakeSource({"SHEL.L": price}, fx={"GBPUSD=X": 1.25}, now=AT)
    columns = valued([stock("SHEL.L", 10.0, currency="GBP")], source)
    found = past_values(columns, {"SHEL.L": closes("SHEL.L")}, {"SHEL.L": "GBP"})
    assert found is not None
    assert found.converted
    assert found.values[-1] == 10 * 190.0 * 1.25


def test_nothing_later_than_the_valuation_is_in_it() -> None:
    later = closes("AMZN", last=LAST + dt.timedelta(days=5), splits=(Split(LAST.toordinal() + 4, 2.0),))
    found = past(stock("AMZN", 100.0), series={"AMZN": later})
    assert found is not None
    assert found.dates[-1] == LAST
    assert found.values[-1] == 2.0 * 100 * 187.0  # two for one, after it


def test_a_source_that_keeps_no_closes_has_no_line() -> None:
    assert shown().past is None
    assert all(figure.past is None for figure in key_figures(shown()))


def test_the_value_has_a_line_and_nobody_is_asked_for_it() -> None:
    clock = ManualClock(AT + 3600.0)
    series = {symbol: [100.0 + day / 10 for day in range(300)] for symbol in ("AMZN", "KO", "^GSPC")}
    market = FakeProvider(clock, {"AMZN": 129.9, "KO": 129.9}, series)
    with connect(
        Settings(cache_url="memory://", calendars="plain"), clock=clock, providers=[market]
    ) as tickers:
        book = Portfolio(file_of(stock("AMZN", 100.0), stock("KO", -10.0)), tickers)
        book.prefetch()
        requests = market.requests
        view = overview(book)
        assert market.requests == requests
        value, *others = key_figures(view)
        assert value.past is not None
        assert all(figure.past is None for figure in others)
        assert value.past.label == "today's shares, 60 closes: +531"
        assert "from 11,160 to 11,691" in value.past.sentence
        assert "100 % of what the book holds besides cash" in value.past.sentence
        assert value.past.path.count("L") == 59
        at = close_of(LAST - dt.timedelta(days=7))
        then = overview(Portfolio(file_of(stock("AMZN", 100.0)), AsOfSource(tickers, at), at=at)).past
        assert then is not None
        assert then.dates[-1] == LAST - dt.timedelta(days=7)
