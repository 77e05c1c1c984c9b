from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewell.calendars import close_of
from quotewell.portfolio import Basis, Portfolio
from quotewell.portfolio.summary import Bucket, NetBucket, Summary
from quotewell.records import Freshness, Quote, Risk
from quotewell.testing.source import FakeSource

AT = close_of(dt.date(2025, 5, 8))
DAY = 86400.0
HEADER = (
    "Account Number,Account Name,Symbol,Description,Quantity,Last Price,Last Price Change,Current Value,"
    "Cost Basis Total,Average Cost Basis,Type"
)
ROWS = (
    "Z1,Mine,SPAXX**,HELD IN MONEY MARKET,,,,$1000.00,,,Cash",
    "Z1,Mine,021ESC017,SOME ESCROW SHS,33.0,--,--,--,--,--,Margin",
    "Z1,Mine,AMZN,AMAZON.COM INC,10,$190.00,,$1900.00,$1500.00,$150.00,Margin",
    "Z1,Mine, -AMZN250516C190,AMZN MAY 16 2025 $190 CALL,-1,$5.00,,-$500.00,,,Margin",
    "Z2,Hers,AMZN,AMAZON.COM INC,-4,$190.00,,-$760.00,,,Short",
    "Z2,Hers, -CRM250620P290,CRM JUN 20 2025 $290 PUT,-1,$22.25,,-$2225.00,,,Margin",
    "Z2,Hers,MSFT,MICROSOFT CORP,2,$400.00,,$8000.00,,,Margin",
    "Z2,Hers, -MSFT250501C400,MSFT MAY 01 2025 $400 CALL,1,$3.00,,$300.00,,,Margin",
    "Z2,Hers,???,SOMETHING,,,,$10.00,,,Cash",
    "Z2,Hers,NVDA,NVIDIA,abc,$1.00,,$1.00,,,Margin",
    "Z1,Mine,Pending Activity,,,,$50.00,,,,",
)
BOOK = "\n".join((HEADER, *ROWS)).encode()


def summary(tickers: FakeSource | None = None, content: bytes = BOOK, **options: Any) -> Summary:
    return Portfolio.from_csv(content, tickers, name="book.csv", **{"at": AT, **options}).summary()


def online(**given_values: Any) -> FakeSource:
    known = {
        "prices": {"AMZN": 190.0, "MSFT": 400.0, "CRM": 280.0},
        "betas": {"AMZN": 1.5, "MSFT": 1.0, "CRM": 1.2},
        "now": AT,
    }
    return FakeSource(**{**known, **given_values})


def as_json(report: Summary) -> Any:
    return msgspec.json.decode(msgspec.json.encode(report))


def kinds(report: Summary) -> Counter[str]:
    return Counter(problem.kind for problem in report.problems)


def test_every_row_is_counted_once() -> None:
    counts = summary().counts
    assert msgspec.structs.asdict(counts) == {
        "rows": 11, "stocks": 4, "options": 3, "cash": 1, "pending": 1, "unknown": 1, "rejected": 1,
    }  # fmt: skip


def test_values_add_up_and_the_difference_is_explained() -> None:
    value = summary().value
    assert (value.stocks, value.options, value.cash, value.pending, value.unknown) == (
        1900.0 - 760.0 + 800.0,
        -500.0 - 2225.0,
        1000.0,
        50.0,
        10.0,
    )
    assert value.total == 1940.0 - 2725.0 + 1060.0
    assert value.broker_total == 1000 + 1900 - 500 - 760 - 2225 + 8000 + 300 + 10 + 50
    assert value.difference is not None
    assert value.difference_parts is not None
    parts = msgspec.structs.asdict(value.difference_parts)
    assert parts == {
        "price": 0.0, "disputed": -7200.0, "fx": 0.0, "unpriced": -300.0, "unreported": 0.0, "rounding": 0.0,
    }  # fmt: skip
    assert sum(parts.values()) == pytest.approx(value.difference)
    assert (value.complete, value.missing) == (False, ("021ESC017", "MSFT250501C00400000"))


def test_a_moved_price_and_an_exchange_rate_explain_their_own_parts() -> None:
    content = b"symbol,quantity,price,value,currency\nSAP.DE,10,100,1000,EUR\nAMZN,1,190,,USD\n"
    source = FakeSource(
        {"SAP.DE": Quote(symbol="SAP.DE", last=110.0, currency="EUR"), "AMZN": 190.0},
        fx={"EURUSD=X": 1.1},
        now=AT,
    )
    book = Portfolio.from_csv(content, source, at=AT)
    book.positions[0].fx_rate = 1.2
    value = book.summary().value
    assert value.difference_parts is not None
    parts = value.difference_parts
    assert (parts.price, parts.fx, parts.unreported) == pytest.approx((10 * 10 * 1.2, 1100 * -0.1, 190.0))
    assert value.difference == pytest.approx(parts.price + parts.fx + parts.unreported)


def test_nothing_known_is_null_and_not_zero() -> None:
    report = summary(content=b"symbol,quantity\nAMZN,1\nCRM250620P00290000,1\n")
    assert (report.value.stocks, report.value.options, report.value.total) == (None, None, None)
    assert (report.value.broker_total, report.value.difference, report.value.difference_parts) == (None,) * 3
    assert report.value.cash == 0.0
    assert report.exposure.net.total is None
    assert report.exposure.net.missing == ("AMZN", "CRM250620P00290000")
    assert [point.pnl for point in report.what_if] == [None] * 9


def test_offline_exposure_is_partial_and_says_what_is_missing() -> None:
    exposure = summary().exposure
    assert exposure.long.stocks == 1900.0 + 800.0
    assert exposure.short.stocks == -760.0
    assert exposure.short.options is not None
    assert exposure.short.options < 0.0
    assert exposure.net.total == pytest.approx((exposure.long.total or 0) + (exposure.short.total or 0))
    assert exposure.net.complete is False
    assert exposure.net.missing == ("021ESC017", "CRM250620P00290000", "MSFT250501C00400000", "???")
    assert (exposure.net.beta_adjusted, exposure.net.beta_adjusted_complete) == (None, False)
    assert set(exposure.net.beta_adjusted_missing) == {"021ESC017", "AMZN", "CRM", "MSFT", "???"}


def test_underlyings_are_netted_across_accounts_before_they_are_long_or_short() -> None:
    report = summary(online())
    by_leg, netted = report.exposure, report.exposure_by_underlying
    assert netted.net.total == pytest.approx(by_leg.net.total)
    assert netted.gross.total is not None
    assert by_leg.gross.total is not None
    assert netted.gross.total < by_leg.gross.total
    rows = {row.underlying: row for row in report.by_underlying}
    amzn = rows["AMZN"]
    assert (amzn.positions, amzn.price, amzn.currency, amzn.beta_method, amzn.beta_n) == (
        3, 190.0, "USD", "ols_daily", 504,
    )  # fmt: skip
    assert amzn.value == 1900.0 - 760.0 - 500.0
    sizes = [abs(row.exposure) if row.exposure is not None else -1.0 for row in report.by_underlying]
    assert sizes == sorted(sizes, reverse=True)
    assert (rows["???"].value, rows["???"].exposure, rows["???"].complete) == (10.0, None, False)


def test_shares_are_fractions_of_a_positive_total() -> None:
    positive = summary(content=b"symbol,quantity,price\nAMZN,1,100\nCASH,300,\n")
    assert positive.exposure.net.share_of_value == 0.25
    assert positive.by_underlying[0].share_of_value == 0.25
    negative = summary(content=b"symbol,quantity,price\nAMZN,-1,100\n")
    assert negative.exposure.net.share_of_value is None


def test_coverage_counts_what_is_missing() -> None:
    offline, full = summary().coverage, summary(online()).coverage
    assert offline.beta == 0.0
    assert full.beta == 1.0
    reported = 1900 + 500 + 760 + 2225 + 8000
    assert offline.price == pytest.approx(reported / (reported + 300 + 10))
    assert offline.delta == pytest.approx(19000 / (19000 + 29000 + 40000))
    assert offline.delta_assumed == offline.delta


def test_prices_are_fresh_stale_or_missing_by_instrument() -> None:
    freshness = summary().freshness
    assert (freshness.fresh, freshness.stale, freshness.missing) == (4, 0, 1)
    old = Quote(symbol="MSFT", last=400.0, currency="USD", as_of=AT - 2 * DAY, fetched_at=AT - DAY)
    content = b"symbol,quantity\nMSFT,1\n"
    stale = summary(FakeSource({"MSFT": old}, freshness=Freshness.STALE, now=AT), content)
    assert (stale.freshness.fresh, stale.freshness.stale) == (0, 1)
    assert stale.freshness.oldest is not None
    assert (stale.freshness.oldest.symbol, stale.freshness.oldest.age) == ("MSFT", 2 * DAY)
    assert kinds(stale)["stale"] == 1


def test_betas_tell_where_they_come_from() -> None:
    source = online(betas={"AMZN": 1.5})
    source._keep("risk", Risk(symbol="MSFT", beta=1.1, method="stated", window_end=AT - DAY))
    report = summary(source, basis=Basis(beta=1.0))
    assert report.betas.by_method == {"given": 2, "ols_daily": 1, "stated": 1}
    shares = report.betas.share_by_method
    assert shares.keys() == report.betas.by_method.keys()
    assert sum(shares.values()) == pytest.approx(1.0)
    of_msft = next(row for row in report.by_underlying if row.underlying == "MSFT")
    assert of_msft.beta_adjusted is not None
    assert 0.0 < shares["stated"] < 1.0
    assert (report.betas.known, report.betas.needed, report.betas.returns) == (4, 4, 504)
    assert report.betas.window_end == dt.datetime.fromtimestamp(AT - DAY, dt.UTC)
    none = summary()
    assert (none.betas.known, none.betas.needed, none.betas.returns) == (0, 4, None)
    assert none.betas.share_by_method == {}
    own = summary(content=b"symbol,quantity,price\n^GSPC,1,1\nSPY,1,1\n", basis=Basis(benchmark="SPY"))
    assert own.betas.by_method == {"identity": 1}


def test_the_what_if_has_nine_moves_and_lists_what_is_missing() -> None:
    report = summary(online())
    assert [point.market for point in report.what_if] == [-0.2, -0.1, -0.05, -0.02, 0, 0.02, 0.05, 0.1, 0.2]
    middle = report.what_if[4]
    assert (middle.pnl, middle.scenario_pnl) == (0.0, 0.0)
    assert middle.missing == ("021ESC017", "CRM250620P00290000", "MSFT250501C00400000", "???")
    assert middle.complete is False
    beta_adjusted = report.exposure.net.beta_adjusted
    assert beta_adjusted is not None
    (small,) = Portfolio.from_csv(BOOK, online(), name="book.csv", at=AT).what_if([1e-4])
    assert small.pnl == pytest.approx(1e-4 * beta_adjusted, rel=0.01)


def test_greeks_are_in_base_currency_and_stocks_have_none_but_delta() -> None:
    stocks = summary(content=b"symbol,quantity,price\nAMZN,2,100\n").greeks
    assert msgspec.structs.asdict(stocks) == {
        "delta": 200.0, "gamma": 0.0, "vega": 0.0, "theta": 0.0, "rho": 0.0, "complete": True, "missing": (),
    }  # fmt: skip
    option = b"symbol,quantity,price\nAMZN,0,190\nAMZN250620C00190000,1,8\n"
    greeks = summary(content=option).greeks
    spot_up, volatility, day = 190.0 * 1.01, 0.01, 1 / 365
    from quotewell.analytics.options import solve, value  # noqa: PLC0415  an independent check

    years = (close_of(dt.date(2025, 6, 20)) - AT) / (365 * DAY)
    solved = solve(True, True, 190.0, 190.0, years, 8.0, 0.0, 0.0)
    sigma = float(solved.volatility)

    def price(spot: float = 190.0, more: float = 0.0, later: float = 0.0, rate: float = 0.0) -> float:
        return float(value(True, True, spot, 190.0, years - later, sigma + more, rate, 0.0))

    delta_up = (price(spot_up + 0.01) - price(spot_up - 0.01)) / 0.02
    assert greeks.gamma == pytest.approx(100 * 190.0 * (delta_up - float(solved.delta)), rel=0.05)
    assert greeks.vega == pytest.approx(100 * (price(more=volatility) - price()), rel=0.02)
    assert greeks.theta == pytest.approx(100 * (price(later=day) - price()), rel=0.05)
    assert greeks.rho == pytest.approx(100 * (price(rate=1e-4) - price()), rel=0.05)


def test_options_that_expire_within_fourteen_days_are_listed() -> None:
    (option,) = summary().expiring
    assert (option.symbol, option.days, option.in_the_money, option.assignment, option.line) == (
        "AMZN250516C00190000", 8, False, False, 5,
    )  # fmt: skip
    unpriced = summary(content=b"symbol,quantity\nAMZN250516P00190000,1\n")
    assert unpriced.expiring[0].in_the_money is None
    put = summary(content=b"symbol,quantity,price\nAMZN,1,150\nAMZN250516P00190000,1,41\n")
    assert put.expiring[0].in_the_money is True
    assert summary(at=None).expiring == ()


def test_disputed_rows_carry_both_numbers() -> None:
    (row,) = summary().disputed
    assert (row.symbol, row.line, row.computed, row.reported) == ("MSFT", 8, 800.0, 8000.0)


def test_assumed_yields_come_with_their_weight() -> None:
    report = summary()
    assert (report.assumptions.rate, report.assumptions.dividend) == (1, 1)
    change = report.assumptions.net_exposure_change
    assert change is not None
    # A yield lowers the delta of a call, of which the book is short.
    assert 0.0 < change < 1000.0
    known = summary(online(dividend_yields={"AMZN": 0.0, "CRM": 0.0}, rates={"^IRX": 0.04}))
    assert known.assumptions.net_exposure_change is None
    assert (known.assumptions.rate, known.assumptions.dividend) == (0, 0)


def test_net_asset_value_by_currency_has_cash_pending_and_shorts_in_it() -> None:
    rows = ("CASH,100,EUR,", "CASH,50,USD,", "AMZN,-1,USD,30", "SAP.DE,1,EUR,10", "VOD.L,1,,5")
    content = "\n".join(("symbol,quantity,currency,price", *rows)).encode()
    report = summary(FakeSource(fx={"EURUSD=X": 1.1}, now=AT), content)
    assert report.by_currency == pytest.approx({"EUR": 121.0, "USD": 20.0})


def test_problems_say_what_where_and_what_to_do() -> None:
    report = summary()
    assert kinds(report) == {
        "rejected": 1, "no_price": 1, "no_underlying_price": 1, "expired": 1, "unknown_instrument": 1,
        "disputed": 1, "no_beta": 3, "assumed_rate": 1, "assumed_dividend": 1,
    }  # fmt: skip
    messages = {problem.kind: problem.message for problem in report.problems}
    assert messages["rejected"] == "book.csv:11: quantity: 'abc' is not a number; the row is in no sum"
    assert messages["no_price"].startswith("021ESC017: no price for 33 of them")
    assert "CRM250620P00290000: no underlying price of CRM" in messages["no_underlying_price"]
    assert "800.00" in messages["disputed"]
    assert "8,000.00" in messages["disputed"]
    assert "--dividend-yield" in messages["assumed_dividend"]
    assert "AMZN" in messages["assumed_dividend"]
    lines = {problem.kind: problem.line for problem in report.problems}
    assert (lines["no_price"], lines["disputed"], lines["expired"]) == (3, 8, 9)


@pytest.mark.parametrize(
    ("content", "at", "kind", "text"),
    [
        (b"symbol,quantity\nAMZN,1\n", None, "as_of_unknown", "--as-of"),
        (b"symbol,quantity,currency\nCASH,1,EUR\n", AT, "no_fx_rate", "from EUR"),
        (b"symbol,quantity,price\nVOD.L,1,2\n", AT, "no_fx_rate", "from an unknown currency"),
        (b"symbol,quantity,value\nAMZN,,5\n", AT, "no_quantity", "AMZN: no quantity"),
        (b"symbol,quantity,price\nAMZN,1,9\nAMZN250620C00200000,1,500\n", AT, "no_delta", "above what any"),
        (b"symbol,quantity,price\nAMZN,1,190\nAMZN250508C00190000,1,3\n", AT, "expires_today", "expires on"),
        (
            b"symbol,quantity,price\nAMZN,1,190\nAMZN7250620C00190000,1,3\n",
            AT,
            "deliverable_unknown",
            "adjusted",
        ),
        (b"symbol,quantity\n", AT, "empty", "no rows"),
    ],
)
def test_each_gap_has_its_problem(content: bytes, at: float | None, kind: str, text: str) -> None:
    problems = [problem for problem in summary(content=content, at=at).problems if problem.kind == kind]
    assert problems
    assert text in problems[0].message


def test_an_index_root_of_unknown_style_is_a_problem() -> None:
    report = summary(FakeSource({"^NQX": 200.0}, now=AT), b"symbol,quantity,price\nNQX250620C00190000,1,3\n")
    assert kinds(report)["style_unknown"] == 1
    assert report.exposure.net.total is None


def test_a_price_near_a_split_ratio_is_a_problem() -> None:
    source = FakeSource({"AMZN": 380.0}, now=AT)
    report = summary(source, b"symbol,quantity,price\nAMZN,1,190\n")
    assert kinds(report)["corporate_action"] == 1
    assert report.value.total is None


def test_the_json_has_every_key_no_nan_and_utc_times() -> None:
    def check(node: Any) -> None:
        if isinstance(node, dict):
            for child in node.values():
                check(child)
        elif isinstance(node, list):
            for child in node:
                check(child)
        elif isinstance(node, float):
            assert math.isfinite(node)

    for report in (summary(), summary(online()), summary(content=b"symbol,quantity\n", at=None)):
        found = as_json(report)
        check(found)
        assert set(found) == {
            "schema", "broker", "file", "accounts", "as_of", "valuation_at", "base_currency", "benchmark",
            "counts", "value", "exposure", "exposure_by_underlying", "coverage", "freshness", "betas",
            "greeks", "by_underlying", "by_account", "by_currency", "what_if", "expiring", "disputed",
            "assumptions", "problems", "requests",
        }  # fmt: skip
        assert found["schema"] == 1
        buckets = ("long", "short", "net", "gross")
        assert all(set(found["exposure"][side]) == set(Bucket.__struct_fields__) for side in buckets)
        netted = found["exposure_by_underlying"]
        assert all(set(netted[side]) == set(NetBucket.__struct_fields__) for side in buckets)
        assert "stocks" not in netted["net"]
    found = as_json(summary())
    assert (found["as_of"], found["valuation_at"]) == ("2025-05-08T20:00:00Z", "2025-05-08T20:00:00Z")
    assert as_json(summary(at=None))["as_of"] is None
    assert msgspec.convert(found, Summary) == summary()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["AMZN", "MSFT", "NVDA"]),
            st.integers(-1000, 1000),
            st.one_of(st.none(), st.floats(0.01, 1e4)),
            st.one_of(st.none(), st.floats(-1e6, 1e6)),
        ),
        max_size=12,
    )
)
def test_the_parts_of_the_difference_always_add_up(
    rows: list[tuple[str, int, float | None, float | None]],
) -> None:
    lines = ["symbol,quantity,price,value"]
    for symbol, quantity, price, worth in rows:
        cells = ("" if one is None else f"{one:.4f}" for one in (price, worth))
        lines.append(f"{symbol},{quantity},{','.join(cells)}")
    source = FakeSource({"AMZN": 190.0, "MSFT": 400.0}, now=AT)
    report = summary(source, "\n".join(lines).encode())
    value = report.value
    if value.difference is not None:
        assert value.difference_parts is not None
        parts = sum(msgspec.structs.asdict(value.difference_parts).values())
        assert parts == pytest.approx(value.difference, abs=1e-3)
    assert report.counts.rows == len(rows)
    net, gross = report.exposure.net.total, report.exposure_by_underlying.gross.total
    assert (net is None) == (gross is None)
    if net is not None and gross is not None:
        assert abs(net) <= gross + 1e-6
