from __future__ import annotations

import datetime as dt
import http.client
import itertools
import json
import math
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from quotewell.testing import ManualClock
from quotewell.testing.simulator import Instrument, Market, MarketSimulator
from quotewell.testing.simulator.__main__ import main
from quotewell.testing.simulator.faults import REPLY_FAULTS, ROW_FAULTS
from quotewell.testing.simulator.instruments import instrument_for

WEDNESDAY_NOON = dt.datetime(2026, 10, 7, 16, 0, tzinfo=dt.UTC).timestamp()  # 12:00 in New York
SATURDAY = WEDNESDAY_NOON + 3 * 86400
KNOWN = ["AAPL", "MSFT", "SPY", "VOD.L"]


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def get(url: str, **headers: str) -> Reply:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return Reply(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, dict(error.headers), error.read())


@pytest.fixture
def simulator() -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=KNOWN, now=WEDNESDAY_NOON) as simulator:
        yield simulator


def yahoo(simulator: MarketSimulator, path: str) -> Reply:
    joint = "&" if "?" in path else "?"
    return get(f"{simulator.yahoo_url}{path}{joint}crumb={simulator.endpoints.crumb}", Cookie="A3=simulated")


def quotes(simulator: MarketSimulator, *symbols: str, fields: str = "") -> list[dict[str, Any]]:
    query = f"symbols={','.join(symbols)}" + (f"&fields={fields}" if fields else "")
    rows: list[dict[str, Any]] = yahoo(simulator, f"/v7/finance/quote?{query}").json["quoteResponse"][
        "result"
    ]
    return rows


def fmp(simulator: MarketSimulator, path: str, key: str = "simulated-key") -> Reply:
    return get(f"{simulator.fmp_url}/{path}&apikey={key}")


# ------------------------------------------------------------------------------------------------- market


def closes(market: Market, symbol: str) -> tuple[list[int], np.ndarray]:
    listing = market.listing(symbol, bars=True)
    assert listing is not None
    return listing.dates, np.array(listing.closes, dtype=float)


@pytest.mark.parametrize("symbol", ["AAPL", "SPY", "KO", "TSLA", "ACME"])
def test_computed_betas_are_close_to_the_known_ones(symbol: str) -> None:
    market = Market([symbol], seed=3, now=SATURDAY)
    instrument = market.instrument(symbol)
    assert instrument is not None
    _, own = closes(market, symbol)
    _, benchmark = closes(market, "^GSPC")
    x, y = (np.diff(series[-505:]) / series[-505:-1] for series in (benchmark, own))
    beta = np.cov(x, y)[0, 1] / np.var(x, ddof=1)
    assert beta == pytest.approx(instrument.beta, abs=0.1)


def test_bars_are_on_weekdays_without_gaps_and_end_with_the_last_session() -> None:
    dates, _ = closes(Market(["AAPL"], now=SATURDAY), "AAPL")
    assert len(dates) > 5 * 250
    days = [dt.date.fromordinal(date) for date in dates]
    assert all(day.weekday() < 5 for day in days)
    assert {(later - earlier).days for earlier, later in itertools.pairwise(days)} == {1, 3}
    assert days[-1] == dt.date(2026, 10, 9)


def test_the_same_seed_is_the_same_market_and_another_seed_another() -> None:
    first, same, other = (Market(["ACME"], seed=seed, now=SATURDAY) for seed in (1, 1, 2))
    assert closes(first, "ACME")[1].tolist() == closes(same, "ACME")[1].tolist()
    assert closes(first, "ACME")[1].tolist() != closes(other, "ACME")[1].tolist()


def test_price_and_previous_close_agree_with_the_bars() -> None:
    market = Market(["AAPL"], now=SATURDAY)
    listing = market.listing("AAPL", bars=True)
    assert listing is not None
    assert listing.state == "CLOSED"
    assert [listing.previous_close, listing.price] == listing.closes[-2:]
    assert listing.price == 333.69
    assert listing.time == dt.datetime(2026, 10, 9, 20, 0, 1, tzinfo=dt.UTC).timestamp()


def test_a_running_session_moves_from_the_previous_close_to_its_own() -> None:
    clock = ManualClock(WEDNESDAY_NOON)
    market = Market(["AAPL"], now=clock.now)
    noon = market.listing("AAPL", bars=True)
    clock.set_wall(WEDNESDAY_NOON + 4 * 3600)
    evening = market.listing("AAPL", bars=True)
    assert noon is not None
    assert evening is not None
    assert (noon.state, evening.state) == ("REGULAR", "CLOSED")
    assert noon.previous_close == evening.previous_close == noon.closes[-2] == 333.69
    assert len(noon.closes) == len(evening.closes)
    assert evening.price is not None
    assert noon.price is not None
    assert abs(noon.price - 333.69) < abs(evening.price - 333.69)


def test_the_path_goes_on_when_the_clock_moves() -> None:
    clock = ManualClock(SATURDAY)
    market = Market(["AAPL"], now=clock.now)
    before, _ = closes(market, "AAPL")
    clock.set_wall(SATURDAY + 300 * 86400)
    after, _ = closes(market, "AAPL")
    assert after[: len(before)] == before
    assert 200 < len(after) - len(before) < 220


def test_abroad_days_sessions_and_currencies_are_the_exchanges() -> None:
    market = Market(["VOD.L", "7203.T", "SAP.DE", "SHOP.TO"], now=WEDNESDAY_NOON)
    listings = [market.listing(symbol) for symbol in ("VOD.L", "7203.T", "SAP.DE", "SHOP.TO")]
    assert [listing.currency for listing in listings if listing] == ["GBp", "JPY", "EUR", "CAD"]
    tokyo = listings[1]
    assert tokyo is not None
    assert (tokyo.state, tokyo.session_date) == ("CLOSED", dt.date(2026, 10, 7).toordinal())


def test_treasury_yields_in_percent_and_exchange_rates_are_always_listed() -> None:
    market = Market(now=SATURDAY)
    prices = {
        symbol: market.listing(symbol) for symbol in ("^IRX", "^FVX", "^TNX", "^TYX", "EURUSD=X", "JPYEUR=X")
    }
    assert all(listing is not None and listing.price is not None for listing in prices.values())
    assert {listing.price for symbol, listing in prices.items() if listing and symbol[0] == "^"} == {
        3.85,
        3.71,
        4.12,
        4.71,
    }
    euro = prices["EURUSD=X"]
    assert euro is not None
    assert (euro.price, euro.currency, euro.type) == (1.172, "USD", "currency")
    assert market.listing("XXXUSD=X") is None


def test_options_on_listed_underlyings_trade_until_they_expire() -> None:
    clock = ManualClock(SATURDAY)
    market = Market(["AAPL", "BRK-B"], now=clock.now)
    call, put = market.listing("AAPL261218C00300000"), market.listing("AAPL261218P00300000")
    assert call is not None
    assert put is not None
    assert call.price is not None
    assert put.price is not None
    years = (dt.datetime(2026, 12, 18, 21, tzinfo=dt.UTC).timestamp() - SATURDAY) / 365 / 86400
    assert call.price - put.price == pytest.approx(333.69 - 300 * math.exp(-0.04 * years), abs=0.02)
    assert call.bid is not None
    assert call.ask is not None
    assert call.bid < call.price < call.ask
    assert (call.type, call.underlying) == ("option", "AAPL")
    assert market.listing("BRKB261218C00500000") is not None
    assert market.listing("TSLA261218C00300000") is None
    clock.set_wall(SATURDAY + 90 * 86400)
    assert market.listing("AAPL261218C00300000") is None


def test_listings_come_and_go_and_prices_can_be_set() -> None:
    market = Market(now=SATURDAY)
    assert market.listing("AAPL") is None
    market.add("AAPL", Instrument(symbol="TINY", name="Tiny", type="stock", price=0.0123))
    market.set_price("AAPL", 1000.0)
    tiny, apple = market.listing("TINY"), market.listing("AAPL")
    assert tiny is not None
    assert apple is not None
    assert (tiny.price, apple.price) == (0.0123, 1000.0)
    assert apple.previous_close == pytest.approx(333.69, rel=0.1)
    market.set_price("AAPL", None)
    market.remove("TINY")
    apple = market.listing("AAPL")
    assert apple is not None
    assert apple.price == 333.69
    assert market.listing("TINY") is None
    assert "AAPL" in market.symbols


@pytest.mark.parametrize(
    ("symbol", "kind", "currency"),
    [
        ("BTC-EUR", "crypto", "EUR"),
        ("ES=F", "future", "USD"),
        ("^STOXX", "index", "USD"),
        ("SEKNOK=X", "currency", "NOK"),
        ("XYZ", "stock", "USD"),
        ("QQQ", "etf", "USD"),
        ("SPAXX", "money_market", "USD"),
        ("VTSAX", "fund", "USD"),
    ],
)
def test_any_symbol_is_an_instrument_of_its_kind(symbol: str, kind: str, currency: str) -> None:
    instrument = instrument_for(symbol)
    assert (instrument.type, instrument.currency) == (kind, currency)
    assert instrument.price > 0


def test_a_pair_of_unknown_currencies_can_be_listed_by_name() -> None:
    assert instrument_for("XAUXAG=X").type == "currency"


# -------------------------------------------------------------------------------------------------- yahoo


def test_the_cookie_comes_with_a_404_and_opens_the_way_to_the_crumb(simulator: MarketSimulator) -> None:
    cookie = get(f"{simulator.yahoo_url}/")
    assert cookie.status == 404
    crumb = get(f"{simulator.yahoo_url}/v1/test/getcrumb", Cookie=cookie.headers["Set-Cookie"].split(";")[0])
    assert (crumb.status, crumb.body.decode()) == (200, simulator.endpoints.crumb)
    assert len(crumb.body) == 11
    assert get(f"{simulator.yahoo_url}/v1/test/getcrumb").status == 401


@pytest.mark.parametrize(
    "path", ["/v7/finance/quote?symbols=AAPL", "/v10/finance/quoteSummary/AAPL?modules=price"]
)
def test_without_the_crumb_it_is_401_with_yahoos_body(simulator: MarketSimulator, path: str) -> None:
    reply = get(f"{simulator.yahoo_url}{path}&crumb=wrong", Cookie="A3=simulated")
    assert reply.status == 401
    assert reply.json["finance"]["error"]["code"] == "Unauthorized"
    assert yahoo(simulator, path).status == 200


def test_spark_and_chart_need_no_crumb_but_refuse_a_wrong_one(simulator: MarketSimulator) -> None:
    url = f"{simulator.yahoo_url}/v8/finance/chart/AAPL"
    assert get(url, Cookie="A3=simulated").status == 200
    assert get(f"{url}?crumb=wrong", Cookie="A3=simulated").status == 401


def test_an_expired_crumb_is_refused(simulator: MarketSimulator) -> None:
    old = simulator.endpoints.crumb
    simulator.expire_crumb()
    assert get(f"{simulator.yahoo_url}/v7/finance/quote?crumb={old}", Cookie="A3=simulated").status == 401
    assert quotes(simulator, "AAPL")


def test_a_quote_row_has_the_recorded_fields(simulator: MarketSimulator) -> None:
    (row,) = quotes(simulator, "AAPL")
    assert row["symbol"] == "AAPL"
    assert (row["quoteType"], row["currency"], row["exchangeTimezoneName"]) == (
        "EQUITY",
        "USD",
        "America/New_York",
    )
    assert (row["dividendYield"], row["trailingAnnualDividendYield"]) == (0.33, 0.0033)
    assert row["marketState"] == "REGULAR"
    assert row["regularMarketTime"] == WEDNESDAY_NOON
    assert "beta" not in row


def test_fields_limit_the_row_and_only_there_beta_is_given(simulator: MarketSimulator) -> None:
    (row,) = quotes(simulator, "AAPL", fields="regularMarketPrice,beta")
    assert row["beta"] == 1.1
    assert "regularMarketPrice" in row
    assert "shortName" not in row


def test_unknown_symbols_are_silently_left_out(simulator: MarketSimulator) -> None:
    assert [row["symbol"] for row in quotes(simulator, "NOPE", "MSFT", "^TNX", "AAPL")] == [
        "MSFT",
        "^TNX",
        "AAPL",
    ]
    assert quotes(simulator, "NOPE") == []


def test_spark_gives_the_closes_of_many(simulator: MarketSimulator) -> None:
    body = yahoo(simulator, "/v7/finance/spark?symbols=AAPL,NOPE,VOD.L&range=5y&interval=1d").json
    rows = {row["symbol"]: row["response"][0] for row in body["spark"]["result"]}
    assert rows.keys() == {"AAPL", "VOD.L"}
    (bars,) = rows["AAPL"]["indicators"]["quote"]
    assert len(bars["close"]) == len(rows["AAPL"]["timestamp"]) > 1250
    assert rows["AAPL"]["meta"]["regularMarketPrice"] == bars["close"][-1]
    regular = rows["AAPL"]["meta"]["currentTradingPeriod"]["regular"]
    assert regular["start"] == rows["AAPL"]["timestamp"][-1] < WEDNESDAY_NOON < regular["end"]


def test_spark_takes_20_symbols(simulator: MarketSimulator) -> None:
    reply = yahoo(simulator, f"/v7/finance/spark?symbols={','.join(['AAPL'] * 21)}")
    assert (reply.status, reply.json["spark"]["error"]["code"]) == (400, "Bad Request")


def test_a_chart_has_bars_between_two_instants_and_events() -> None:
    split = (dt.date(2026, 9, 1).toordinal(), 4.0)
    paying = Instrument(
        symbol="PAYS", name="Pays", type="stock", price=100.0, dividend_yield=0.04, splits=(split,)
    )
    with MarketSimulator(symbols=[paying], now=SATURDAY) as simulator:
        start = int(SATURDAY - 366 * 86400)
        reply = yahoo(
            simulator, f"/v8/finance/chart/PAYS?period1={start}&period2={int(SATURDAY)}&interval=1d"
        )
        result = reply.json["chart"]["result"][0]
        assert 255 <= len(result["timestamp"]) <= 265
        assert result["indicators"]["adjclose"]
        amounts = [event["amount"] for event in result["events"]["dividends"].values()]
        assert len(amounts) in (4, 5)
        assert amounts == pytest.approx([1.0] * len(amounts), rel=0.5)
        assert [event["splitRatio"] for event in result["events"]["splits"].values()] == ["4:1"]
        empty = yahoo(simulator, f"/v8/finance/chart/PAYS?period1=0&period2={start - 10**9}").json
        assert empty["chart"]["result"][0]["indicators"] == {"quote": [{}], "adjclose": [{}]}


@pytest.mark.parametrize(
    ("path", "envelope"),
    [("/v8/finance/chart/NOPE", "chart"), ("/v10/finance/quoteSummary/NOPE", "quoteSummary")],
)
def test_alone_an_unknown_symbol_is_404(simulator: MarketSimulator, path: str, envelope: str) -> None:
    reply = yahoo(simulator, path)
    assert (reply.status, reply.json[envelope]["error"]["code"]) == (404, "Not Found")


def test_a_summary_has_beta_for_stocks_and_only_a_three_year_one_for_funds(
    simulator: MarketSimulator,
) -> None:
    stock, fund = (
        yahoo(simulator, f"/v10/finance/quoteSummary/{symbol}?modules=summaryDetail").json["quoteSummary"][
            "result"
        ][0]
        for symbol in ("AAPL", "SPY")
    )
    assert (stock["summaryDetail"]["beta"], stock["summaryDetail"]["dividendYield"]) == (1.1, 0.0033)
    assert "beta" not in fund["summaryDetail"]
    assert fund["defaultKeyStatistics"]["beta3Year"] == 1.0


@pytest.mark.parametrize(("range_", "days"), [("5d", 7), ("1mo", 31), ("1y", 366)])
def test_a_chart_has_the_bars_of_a_range(simulator: MarketSimulator, range_: str, days: int) -> None:
    body = yahoo(simulator, f"/v8/finance/chart/AAPL?range={range_}&interval=1d").json
    (result,) = body["chart"]["result"]
    assert range_ in result["meta"]["validRanges"]
    assert WEDNESDAY_NOON - days * 86400 <= result["timestamp"][0] < WEDNESDAY_NOON - (days - 4) * 86400
    assert WEDNESDAY_NOON - 86400 < result["timestamp"][-1] < WEDNESDAY_NOON


def test_a_time_series_knows_no_figures(simulator: MarketSimulator) -> None:
    path = "/ws/fundamentals-timeseries/v1/finance/timeseries/AAPL?symbol=AAPL&type=trailingPegRatio"
    reply = yahoo(simulator, path)
    meta = {"symbol": ["AAPL"], "type": ["trailingPegRatio"]}
    assert reply.json == {"timeseries": {"result": [{"meta": meta}], "error": None}}
    assert simulator.requests[-1].endpoint == "timeseries"


def test_an_unknown_path_is_404(simulator: MarketSimulator) -> None:
    assert get(f"{simulator.yahoo_url}/v6/finance/quote").status == 404
    assert simulator.requests[-1].endpoint == "unknown"


# ---------------------------------------------------------------------------------------------------- fmp


def test_fmp_profile_gives_everything_about_one_symbol(simulator: MarketSimulator) -> None:
    (row,) = fmp(simulator, "profile?symbol=AAPL").json
    price = quotes(simulator, "AAPL")[0]
    assert (row["price"], row["beta"], row["companyName"]) == (price["regularMarketPrice"], 1.1, "Apple Inc.")
    assert row["price"] - row["change"] == pytest.approx(price["regularMarketPreviousClose"])
    assert row["lastDividend"] == pytest.approx(0.0033 * row["price"], abs=1e-3)
    assert (row["isEtf"], row["isFund"]) == (False, False)


def test_fmp_answers_commas_and_unknown_symbols_with_an_empty_list(simulator: MarketSimulator) -> None:
    assert fmp(simulator, "profile?symbol=AAPL,MSFT").json == []
    assert fmp(simulator, "quote?symbol=NOPE").json == []


def test_fmp_batch_quotes_are_a_matter_of_the_plan() -> None:
    with MarketSimulator(symbols=KNOWN, now=SATURDAY) as simulator:
        assert fmp(simulator, "batch-quote?symbols=AAPL,MSFT").status == 402
    with MarketSimulator(symbols=KNOWN, now=SATURDAY, fmp_batch_quotes=True, fmp_key="k") as simulator:
        rows = fmp(simulator, "batch-quote?symbols=AAPL,NOPE,MSFT", simulator.fmp_key).json
        assert [(row["symbol"], row["previousClose"] > 0) for row in rows] == [("AAPL", True), ("MSFT", True)]
        assert fmp(simulator, "batch-quote-short?symbols=AAPL", "k").json[0].keys() >= {"symbol", "price"}


def test_fmp_wants_its_key_in_the_query_or_as_a_header(simulator: MarketSimulator) -> None:
    assert fmp(simulator, "quote?symbol=AAPL", "wrong").status == 401
    assert get(f"{simulator.fmp_url}/quote?symbol=AAPL", apikey="simulated-key").status == 200


def test_fmp_has_a_daily_limit_on_demand(simulator: MarketSimulator) -> None:
    simulator.endpoints.fmp_per_day = 1
    assert [fmp(simulator, "quote?symbol=AAPL").status for _ in range(2)] == [200, 429]


def test_fmp_says_nothing_of_what_is_not_known(simulator: MarketSimulator) -> None:
    simulator.fault("null_price")
    (row,) = fmp(simulator, "profile?symbol=AAPL").json
    assert (row["price"], row["change"], row["lastDividend"]) == (None, None, None)


# ------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("kind", ["400", "401", "402", "403", "404", "429", "500", "502", "503"])
def test_status_faults(simulator: MarketSimulator, kind: str) -> None:
    simulator.fault(kind, times=1)
    assert [yahoo(simulator, "/v7/finance/quote?symbols=AAPL").status for _ in range(2)] == [int(kind), 200]


@pytest.mark.parametrize(
    ("retry_after", "header"), [(None, None), (60, "60"), ("Wed, 07 Oct 2026 16:05:00 GMT",) * 2]
)
def test_429_with_and_without_retry_after(
    simulator: MarketSimulator, retry_after: float | str | None, header: str | None
) -> None:
    simulator.fault("429", retry_after=retry_after)
    assert yahoo(simulator, "/v7/finance/quote?symbols=AAPL").headers.get("Retry-After") == header


def test_a_reset_ends_the_connection_before_a_byte(simulator: MarketSimulator) -> None:
    simulator.fault("reset", times=1)
    connection = http.client.HTTPConnection(simulator.yahoo_url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/v8/finance/chart/AAPL", headers={"Cookie": "A3=simulated"})
    with pytest.raises(ConnectionError):
        connection.getresponse()
    connection.close()
    assert simulator.requests[-1].status == 0


def test_a_cut_ends_the_connection_within_the_body(simulator: MarketSimulator) -> None:
    simulator.fault("cut")
    with pytest.raises(http.client.IncompleteRead):
        yahoo(simulator, "/v7/finance/quote?symbols=AAPL")


def test_a_hang_holds_the_answer_until_it_is_released(simulator: MarketSimulator) -> None:
    fault = simulator.fault("hang", times=1)
    replies: list[Reply] = []
    thread = threading.Thread(
        target=lambda: replies.append(yahoo(simulator, "/v7/finance/quote?symbols=AAPL"))
    )
    thread.start()
    while not simulator.requests:
        thread.join(0.001)
    assert quotes(simulator, "MSFT")
    assert replies == []
    fault.release()
    thread.join(10)
    assert [reply.status for reply in replies] == [200]


def test_an_answer_comes_no_sooner_than_the_latency() -> None:
    with MarketSimulator(symbols=KNOWN, now=SATURDAY, latency=0.2) as simulator:
        assert quotes(simulator, "AAPL")
        answered = time.monotonic()
        assert answered - simulator.requests[0].time >= 0.2


def test_closing_ends_the_wait_for_the_latency() -> None:
    simulator = MarketSimulator(symbols=KNOWN, now=SATURDAY, latency=3600.0)
    thread = threading.Thread(target=simulator.reply, args=("/", {}), daemon=True)
    thread.start()
    while not simulator.requests:
        thread.join(0.001)
    assert simulator.requests[0].status == 0
    simulator.close()
    thread.join(10)
    assert not thread.is_alive()


def test_closing_ends_what_hangs_and_can_be_done_twice() -> None:
    simulator = MarketSimulator(symbols=KNOWN, now=SATURDAY)
    simulator.start()
    simulator.fault("hang")
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(yahoo(simulator, "/v7/finance/quote?symbols=AAPL").status)
        except (OSError, http.client.HTTPException) as error:
            outcomes.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not simulator.requests:
        thread.join(0.001)
    simulator.close()
    simulator.close()
    thread.join(10)
    assert len(outcomes) == 1
    with pytest.raises(OSError, match="refused"):
        get(simulator.yahoo_url)


def test_a_drip_sends_byte_after_byte_and_never_ends_until_it_is_released(simulator: MarketSimulator) -> None:
    fault = simulator.fault("drip", times=1)
    connection = http.client.HTTPConnection(simulator.yahoo_url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/v8/finance/chart/AAPL", headers={"Cookie": "A3=simulated"})
    answer = connection.getresponse()
    assert answer.read(3) == b'{"c'
    fault.release()
    assert json.loads(b'{"c' + answer.read())["chart"]["result"]
    connection.close()


@pytest.mark.parametrize("kind", ["truncated", "invalid_json", "html", "text_429", "empty_body"])
def test_answers_under_200_that_are_no_json(simulator: MarketSimulator, kind: str) -> None:
    simulator.fault(kind)
    reply = yahoo(simulator, "/v7/finance/quote?symbols=AAPL")
    assert reply.status == 200
    with pytest.raises(ValueError, match="line 1"):
        _ = reply.json
    assert b"AAPL" in reply.body or kind != "invalid_json"


@pytest.mark.parametrize("kind", ["error_body", "unauthorized_body", "string_body", "string_rows"])
def test_answers_under_200_that_are_json_but_no_data(simulator: MarketSimulator, kind: str) -> None:
    simulator.fault(kind)
    reply = yahoo(simulator, "/v7/finance/quote?symbols=AAPL")
    assert reply.status == 200
    assert "AAPL" not in str(reply.json)


@pytest.mark.parametrize("kind", ["bad_crumb", "html_crumb", "empty_crumb"])
def test_crumb_faults_hit_only_the_crumb(simulator: MarketSimulator, kind: str) -> None:
    simulator.fault(kind)
    assert yahoo(simulator, "/v1/test/getcrumb").body.decode() != simulator.endpoints.crumb
    assert quotes(simulator, "AAPL")


def test_omitted_and_only_last(simulator: MarketSimulator) -> None:
    simulator.fault("omit", symbols=["MSFT"], times=1)
    simulator.fault("only_last", after=1, times=1)
    asked = [[row["symbol"] for row in quotes(simulator, "AAPL", "MSFT", "SPY")] for _ in range(3)]
    assert asked == [["AAPL", "SPY"], ["SPY"], ["AAPL", "MSFT", "SPY"]]


def test_price_faults_change_price_and_last_bar_of_the_named_symbols(simulator: MarketSimulator) -> None:
    good = {
        row["symbol"]: row["regularMarketPrice"] for row in quotes(simulator, "AAPL", "MSFT", "SPY", "VOD.L")
    }
    simulator.fault("null_price", symbols=["AAPL"])
    simulator.fault("nan_price", symbols=["MSFT"])
    simulator.fault("price_x100", symbols=["SPY"])
    simulator.fault("zero_price", symbols=["VOD.L"])
    bad = {
        row["symbol"]: row["regularMarketPrice"] for row in quotes(simulator, "AAPL", "MSFT", "SPY", "VOD.L")
    }
    assert bad["AAPL"] is None
    assert math.isnan(bad["MSFT"])
    assert (bad["SPY"], bad["VOD.L"]) == (good["SPY"] * 100, 0.0)
    body = yahoo(simulator, "/v8/finance/chart/AAPL").json
    assert body["chart"]["result"][0]["indicators"]["quote"][0]["close"][-1] is None


def test_currency_and_previous_close_can_be_missing(simulator: MarketSimulator) -> None:
    simulator.fault("no_currency", symbols=["AAPL"])
    simulator.fault("no_previous_close")
    rows = {row["symbol"]: row for row in quotes(simulator, "AAPL", "MSFT")}
    assert (rows["AAPL"]["currency"], rows["MSFT"]["currency"]) == (None, "USD")
    assert rows["MSFT"]["regularMarketPreviousClose"] is None


def test_rows_can_come_twice_and_in_another_order(simulator: MarketSimulator) -> None:
    simulator.fault("duplicated")
    symbols = [row["symbol"] for row in quotes(simulator, "AAPL", "MSFT", "SPY")]
    assert sorted(symbols) == ["AAPL", "AAPL", "MSFT", "MSFT", "SPY", "SPY"]
    assert symbols != ["AAPL", "MSFT", "SPY"] * 2


def test_what_is_off_by_a_hundred(simulator: MarketSimulator) -> None:
    good = quotes(simulator, "AAPL")[0]
    seen = {}
    for kind in ("price_x100", "price_x100_alone", "price_and_close_x100"):
        simulator.clear_faults()
        simulator.fault(kind)
        row = quotes(simulator, "AAPL")[0]
        seen[kind] = (row["regularMarketPrice"], row["regularMarketPreviousClose"])
    price, close = good["regularMarketPrice"], good["regularMarketPreviousClose"]
    assert seen == {
        "price_x100": (price * 100, close),
        "price_x100_alone": (price * 100, None),
        "price_and_close_x100": (price * 100, close * 100),
    }


def test_units_currencies_and_symbols_can_be_mixed_up(simulator: MarketSimulator) -> None:
    def told(kind: str, symbol: str) -> dict[str, Any]:
        simulator.clear_faults()
        simulator.fault(kind)
        return quotes(simulator, symbol)[0]

    assert [told("wrong_unit", symbol)["currency"] for symbol in ("AAPL", "VOD.L")] == ["GBp", "GBP"]
    assert told("other_currency", "AAPL")["currency"] == "EUR"
    assert [told("other_symbol", symbol)["symbol"] for symbol in ("AAPL", "MSFT")] == ["MSFT", "AAPL"]
    assert told("negative_price", "AAPL")["regularMarketPrice"] < 0.0


@pytest.mark.parametrize(("now", "days"), [(SATURDAY, 1), (SATURDAY + 2 * 86400, 3)])
def test_an_answer_can_be_that_of_the_session_before(now: float, days: int) -> None:
    with MarketSimulator(symbols=KNOWN, now=now) as simulator:
        good = quotes(simulator, "AAPL")[0]
        bars = yahoo(simulator, "/v8/finance/chart/AAPL").json["chart"]["result"][0]["timestamp"]
        simulator.fault("day_before")
        row = quotes(simulator, "AAPL")[0]
        assert row["regularMarketPrice"] == good["regularMarketPreviousClose"]
        closed = dt.datetime.fromtimestamp(row["regularMarketTime"], dt.UTC)
        assert (closed.weekday(), closed.hour) == (3 if days == 1 else 4, 20)
        before = yahoo(simulator, "/v8/finance/chart/AAPL").json["chart"]["result"][0]["timestamp"]
        assert before == bars[:-1]
        simulator.clear_faults()
        simulator.fault("dated_tomorrow")
        assert quotes(simulator, "AAPL")[0]["regularMarketTime"] == good["regularMarketTime"] + 86400


def test_a_share_of_the_requests_does_not_depend_on_their_order(simulator: MarketSimulator) -> None:
    def hit(symbols: list[str]) -> set[str]:
        simulator.clear_faults()
        simulator.fault("500", share=0.5, seed=7)
        return {
            symbol
            for symbol in symbols
            if yahoo(simulator, f"/v7/finance/quote?symbols={symbol}").status == 500
        }

    names = [f"S{number}" for number in range(40)]
    assert 5 < len(hit(names)) < 35
    assert hit(names) == hit(names[::-1])


def test_a_market_of_few_years_has_fewer_bars() -> None:
    assert 250 < len(closes(Market(["AAPL"], now=SATURDAY, years=1), "AAPL")[0]) < 265


def test_a_fault_hits_only_what_it_names(simulator: MarketSimulator) -> None:
    simulator.fault("500", endpoint="spark")
    simulator.fault("403", endpoint="fmp")
    simulator.fault("503", symbols=["MSFT"], endpoint="yahoo")
    assert quotes(simulator, "AAPL")
    assert yahoo(simulator, "/v7/finance/spark?symbols=AAPL").status == 500
    assert fmp(simulator, "quote?symbol=AAPL").status == 403
    assert yahoo(simulator, "/v7/finance/quote?symbols=AAPL,MSFT").status == 503


def test_handshakes_are_hit_only_when_named_or_by_the_star(simulator: MarketSimulator) -> None:
    simulator.fault("500")
    assert yahoo(simulator, "/v1/test/getcrumb").status == 200
    fault = simulator.fault("503", endpoint="*")
    assert yahoo(simulator, "/v1/test/getcrumb").status == 503
    assert get(simulator.yahoo_url).status == 503
    assert fault.hits == 2
    simulator.clear_faults()
    assert yahoo(simulator, "/v1/test/getcrumb").status == 200


def test_an_unknown_kind_names_the_known_ones(simulator: MarketSimulator) -> None:
    with pytest.raises(ValueError, match=r"no fault 'boom'; there are 400, .*duplicated"):
        simulator.fault("boom")


def test_no_kind_stands_in_both_tables() -> None:
    assert not REPLY_FAULTS.keys() & ROW_FAULTS.keys()


# ---------------------------------------------------------------------------------------- log, command line


def test_the_log_tells_handshakes_from_data(simulator: MarketSimulator) -> None:
    get(f"{simulator.yahoo_url}/")
    yahoo(simulator, "/v1/test/getcrumb")
    quotes(simulator, "AAPL", "NOPE")
    yahoo(simulator, "/v8/finance/chart/NOPE")
    assert [(request.endpoint, request.status) for request in simulator.handshakes] == [
        ("cookie", 404),
        ("crumb", 200),
    ]
    assert [(request.path, request.symbols, request.status) for request in simulator.data_requests] == [
        ("/v7/finance/quote", ("AAPL", "NOPE"), 200),
        ("/v8/finance/chart/NOPE", ("NOPE",), 404),
    ]
    times = [request.time for request in simulator.requests]
    assert times == sorted(times)
    simulator.clear_log()
    assert simulator.requests == []


def test_connections_are_kept_alive(simulator: MarketSimulator) -> None:
    connection = http.client.HTTPConnection(simulator.yahoo_url.removeprefix("http://"), timeout=10)
    for _ in range(2):
        connection.request("GET", "/v8/finance/chart/AAPL", headers={"Cookie": "A3=simulated"})
        socket = connection.sock
        assert connection.getresponse().read()
    assert connection.sock is socket
    simulator.close()
    connection.request("GET", "/v8/finance/chart/AAPL")
    with pytest.raises(ConnectionError):
        connection.getresponse()
    connection.close()


def test_a_programming_error_is_shown_and_does_not_stop_the_server(
    simulator: MarketSimulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(simulator.endpoints, "answer", lambda *_: 1 / 0)
        with pytest.raises(ConnectionError):
            get(simulator.yahoo_url)
    assert quotes(simulator, "AAPL")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_command_prints_the_environment_and_serves(capsys: pytest.CaptureFixture[str]) -> None:
    done = threading.Event()
    done.set()
    assert main(["--symbols", "AAPL, MSFT,", "--fmp-key", "k", "--fault", "429"], until=done) == 0
    out = capsys.readouterr().out
    assert "export QUOTEWELL_YAHOO_BASE_URL=http://127.0.0.1:" in out
    assert out.endswith("/stable\nexport QUOTEWELL_FMP_API_KEY=k\n")


def test_the_command_ends_when_interrupted() -> None:
    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    assert main([], until=Interrupted()) == 130
