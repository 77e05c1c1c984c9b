"""The faults that the simulated market shows on command."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from quotewell.testing.simulator import MarketSimulator
from quotewell.testing.simulator.faults import REPLY_FAULTS, ROW_FAULTS
from wire import KNOWN, SATURDAY, WEDNESDAY_NOON, Reply, fmp, get, quotes, yahoo


@pytest.fixture
def simulator() -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=KNOWN, now=WEDNESDAY_NOON) as simulator:
        yield simulator


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
