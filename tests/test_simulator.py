"""The simulated market over HTTP: wire formats, log, command line."""

from __future__ import annotations

import datetime as dt
import http.client
import threading
from collections.abc import Iterator

import pytest

from quotewell.testing.simulator import Instrument, MarketSimulator
from quotewell.testing.simulator.__main__ import main
from wire import KNOWN, SATURDAY, WEDNESDAY_NOON, fmp, get, quotes, yahoo


@pytest.fixture
def simulator() -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=KNOWN, now=WEDNESDAY_NOON) as simulator:
        yield simulator


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
