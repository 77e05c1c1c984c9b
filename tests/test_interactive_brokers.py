"""Interactive Brokers: Flex queries with many columns and with few, activity statements, exchanges, rates."""

from __future__ import annotations

import datetime as dt

import pytest

from quotewell import Portfolio
from quotewell.calendars import close_of
from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.importers.listings import listed_symbol
from quotewell.portfolio.importers.outcome import RowError
from quotewell.portfolio.positions import OptionPosition
from quotewell.testing.source import FakeSource

AT = close_of(dt.date(2025, 5, 8))
FEW = "Symbol,Quantity,CostBasisPrice,CurrencyPrimary,ListingExchange\n"


def read(text: str) -> ImportedFile:
    return read_positions(text.encode(), "query.csv")


def test_a_query_of_few_columns_is_enough() -> None:
    file = read(FEW + "AAPL,10,150,USD,NASDAQ\nSAP,5,120,EUR,IBIS\nAAPL  250620C00200000,-1,5,USD,CBOE\n")
    assert file.broker == "Interactive Brokers"
    assert [(p.symbol, p.kind, p.quantity, p.currency, p.cost_basis) for p in file.positions] == [
        ("AAPL", "stock", 10.0, "USD", 1500.0),
        ("SAP.DE", "stock", 5.0, "EUR", 600.0),
        ("AAPL250620C00200000", "option", -1.0, "USD", 500.0),
    ]


def test_lots_count_only_where_there_is_no_summary() -> None:
    header = "Symbol,Quantity,CurrencyPrimary,AssetClass,LevelOfDetail\n"
    summary, lots = "AAPL,10,USD,STK,SUMMARY\n", "AAPL,4,USD,STK,LOT\nAAPL,6,USD,STK,LOT\n"
    assert [p.quantity for p in read(header + summary + lots).positions] == [10.0]
    assert [p.quantity for p in read(header + lots).positions] == [4.0, 6.0]


def test_an_options_columns_name_it_where_its_symbol_does_not() -> None:
    header = "Symbol,UnderlyingSymbol,Strike,Expiry,Put/Call,Quantity,AssetClass,CurrencyPrimary\n"
    (option,) = read(header + "X1,AAPL,200,20250620,C,2,OPT,USD\n").positions
    assert option.symbol == "AAPL250620C00200000"
    assert read(header + "X1,,,,,2,OPT,USD\n").rejected[0].reason == "X1: no option that can be read"


def test_the_rate_to_base_counts_if_the_base_is_that_of_the_report() -> None:
    text = (
        "Symbol,Quantity,MarkPrice,PositionValue,CurrencyPrimary,FXRateToBase,ListingExchange\n"
        "AAPL,1,200,200,USD,{usd},NASDAQ\nSAP,1,100,100,EUR,{eur},IBIS\n"
    )
    source = FakeSource({}, fx={"EURUSD=X": 1.2})
    to_dollars = Portfolio.from_csv(text.format(usd=1, eur=1.1).encode(), source)
    assert to_dollars.file.base_currency == "USD"
    assert to_dollars.summary().value.broker_total == pytest.approx(200 + 110)
    to_euros = Portfolio.from_csv(text.format(usd=0.9, eur=1).encode(), source)
    assert to_euros.file.base_currency == "EUR"
    assert to_euros.summary().value.broker_total == pytest.approx(200 + 120)


def test_report_dates_date_the_file() -> None:
    header = "Symbol,Quantity,CurrencyPrimary,AssetClass,ReportDate\n"
    for date in ("20250508", "2025-05-08"):
        assert read(f"{header}AAPL,1,USD,STK,{date}\n").as_of == close_of(dt.date(2025, 5, 8))


@pytest.mark.parametrize(
    ("symbol", "exchange", "currency", "expected"),
    [
        ("AAPL", "NASDAQ", "USD", "AAPL"),
        ("BRK B", "NYSE", "USD", "BRK B"),
        ("VOD", "LSE", "GBP", "VOD.L"),
        ("700", "SEHK", "HKD", "0700.HK"),
        ("7203", "TSEJ", "JPY", "7203.T"),
        ("SHOP", "TSE", "CAD", "SHOP.TO"),
        ("SHOP", "", "CAD", "SHOP.TO"),
        ("ERIC B", "SFB", "SEK", "ERIC-B.ST"),
        ("AAPL", "", "USD", "AAPL"),
        ("VOD", "UNKNOWN", "GBP", "VOD.L"),
    ],
)
def test_symbols_get_the_suffix_of_their_exchange(
    symbol: str, exchange: str, currency: str, expected: str
) -> None:
    assert listed_symbol(symbol, exchange, currency) == expected


def test_a_stock_in_euros_needs_its_exchange() -> None:
    with pytest.raises(RowError, match="SAP: no exchange is told for EUR; add ListingExchange"):
        listed_symbol("SAP", "", "EUR")


STATEMENT = """\ufeffStatement,Header,Field Name,Field Value
Statement,Data,BrokerName,Interactive Brokers
Statement,Data,Period,"January 2, 2025 - March 31, 2025"
Account Information,Header,Field Name,Field Value
Account Information,Data,Account,U123
Account Information,Data,Base Currency,USD
Cash Report,Header,Currency Summary,Currency,Total,Securities,Futures
Cash Report,Data,Starting Cash,USD,1,1,0
Cash Report,Data,Ending Cash,Base Currency Summary,1300,1300,0
Cash Report,Data,Ending Cash,USD,1000,1000,0
Cash Report,Data,Ending Cash,EUR,250,250,0
Cash Report,Data,Ending Cash,CHF,0,0,0
Cash Report,Data,Ending Settled Cash,USD,900,900,0
Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,Close Price,Value,Unrealized P/L,Code
Open Positions,Data,Summary,Stocks,USD,AAPL,10,1,150,1500,200,2000,500,
Open Positions,Data,Lot,Stocks,USD,AAPL,10,,150,1500,200,2000,500,
Open Positions,Data,Summary,Stocks,EUR,SAP,5,1,120,600,250,1250,650,
Open Positions,Total,,Stocks,USD,,,,,2100,,3250,1150,
Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,Close Price,Value,Unrealized P/L,Code
Open Positions,Data,Summary,Equity and Index Options,USD,SPY 31MAR25 570 C,-1,100,5,-500,4,-400,100,
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity
Trades,Data,Order,Stocks,USD,NVDA,"2025-03-01, 10:00:00",5
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Security ID,Underlying,Listing Exch,Multiplier,Type,Code
Financial Instrument Information,Data,Stocks,AAPL,APPLE INC,1,US0378331005,AAPL,NASDAQ,1,COMMON,
Financial Instrument Information,Data,Stocks,SAP,SAP SE,2,DE0007164600,SAP,IBIS,1,COMMON,
"""  # noqa: E501  as it comes


def test_a_statement_tells_positions_cash_and_the_end_of_its_period() -> None:
    file = read(STATEMENT)
    assert file.broker == "Interactive Brokers statement"
    assert (file.as_of, file.base_currency) == (close_of(dt.date(2025, 3, 31)), "USD")
    assert [(p.symbol, p.kind, p.quantity, p.value, p.currency, p.account) for p in file.positions] == [
        ("AAPL", "stock", 10.0, 2000.0, "USD", "U123"),
        ("SAP.DE", "stock", 5.0, 1250.0, "EUR", "U123"),
        ("SPY250331C00570000", "option", -1.0, -400.0, "USD", "U123"),
        ("CASH", "cash", None, 1000.0, "USD", "U123"),
        ("CASH", "cash", None, 250.0, "EUR", "U123"),
    ]
    assert file.rejected == []


def test_a_statement_of_one_currency_has_its_cash_in_the_summary() -> None:
    lines = [line for line in STATEMENT.splitlines() if "Ending Cash" not in line or "Summary" in line]
    cash = [p for p in read("\n".join(lines)).positions if p.kind == "cash"]
    assert [(p.value, p.currency) for p in cash] == [(1300.0, "USD")]


def test_londons_dot_is_no_part_of_a_symbol() -> None:
    header = "Symbol,Quantity,MarkPrice,PositionValue,CurrencyPrimary,ListingExchange\n"
    file = read_positions((header + "BP.,100,4.5,450,GBP,LSE\n").encode())
    assert [(p.kind, p.symbol, p.currency) for p in file.positions] == [("stock", "BP.L", "GBP")]


def test_an_option_of_another_country_is_not_an_american_companys() -> None:
    header = (
        "AssetClass,Symbol,Quantity,MarkPrice,PositionValue,CurrencyPrimary,"
        "Expiry,Strike,Put/Call,UnderlyingSymbol\n"
    )
    named = "20251219,300,P,ALV\n"
    rows = f"OPT,P ALV  20251219 300 M,1,5,500,EUR,{named}OPT,P ALV  20251219 300 M,1,5,,EUR,{named}"
    file = read_positions((header + rows).encode())
    assert [(p.kind, p.value, p.underlying) for p in file.positions] == [("unknown", 500.0, None)]
    assert [(row.line, "outside the United States" in row.reason) for row in file.rejected] == [(3, True)]


SECTIONS = (
    "BOF,U1,Q,4\nBOA,U1\nBOS,POST,Open Positions\n"
    "HEADER,POST,ClientAccountID,CurrencyPrimary,FXRateToBase,AssetClass,Symbol,Quantity,MarkPrice,PositionValue\n"
    "DATA,POST,U1,USD,1,STK,AAPL,10,100,1000\nEOS,POST,1\nBOS,CRTT,Cash Report\n"
    "HEADER,CRTT,ClientAccountID,CurrencyPrimary,StartingCash,EndingCash\n"
    "DATA,CRTT,U1,BASE_SUMMARY,5,7\nDATA,CRTT,U1,USD,5,3\nDATA,CRTT,U1,EUR,1,4\nDATA,CRTT,U1,CHF,1,--\n"
    "EOS,CRTT,4\nBOS,TRNT,Trades\n"
    "HEADER,TRNT,ClientAccountID,CurrencyPrimary,FXRateToBase,AssetClass,Symbol,Quantity,TradePrice,TradeID\n"
    "DATA,TRNT,U1,USD,1,STK,AAPL,5,90,1\nEOS,TRNT,1\nEOA,U1\nEOF,U1\n"
)


def test_sections_of_one_query_are_told_apart() -> None:
    file = read(SECTIONS)
    assert [(p.kind, p.quantity, p.value, p.currency, p.account) for p in file.positions] == [
        ("stock", 10.0, 1000.0, "USD", "U1"),
        ("cash", None, 3.0, "USD", "U1"),
        ("cash", None, 4.0, "EUR", "U1"),
    ]
    assert [(row.line, row.reason) for row in file.rejected] == [(12, "cash in CHF: no amount")]


def test_trades_are_no_positions() -> None:
    trades = SECTIONS[SECTIONS.index("HEADER,TRNT") :]
    with pytest.raises(ImportFailed):
        read(trades)


MULTIPLIED = "Symbol,Quantity,MarkPrice,PositionValue,CostBasisPrice,CurrencyPrimary,AssetClass,Multiplier\n"


def test_the_multiplier_of_an_adjusted_contract_is_the_files() -> None:
    file = read(MULTIPLIED + "SPY7  250620C00200000,-2,5,,4,USD,OPT,10\n")
    (option,) = file.positions
    assert isinstance(option, OptionPosition)
    assert (option.multiplier, option.cost_basis) == (10.0, 80.0)
    columns = Portfolio(file, FakeSource({"SPY7250620C00200000": 6.0}, now=AT), at=AT).value()
    assert (columns.multiplier[0], columns.value[0]) == (10.0, -120.0)


def test_a_multiplier_that_the_symbol_contradicts_makes_the_row_unknown() -> None:
    row = "SPY   250620C00200000,1,5,{},4,USD,OPT,{}\n"
    said = ((500, 100), (500, 1), (50, 10), ("", 10), (5, 0))
    file = read(MULTIPLIED + "".join(row.format(*cells) for cells in said))
    assert [(p.kind, p.value) for p in file.positions] == [("option", 500.0)] * 2 + [("unknown", 50.0)]
    assert [row.reason for row in file.rejected] == [
        "an option with a multiplier of 10 is not supported, and the row has no value",
        "a multiplier of 0, which has to be above 0",
    ]


def test_what_stands_around_sections_may_be_a_ticker_too() -> None:
    text = FEW + "EOS,10,15,USD,NYSE\nBOA,-1,2,USD,NYSE\n"
    around = "BOF,U1,query,1\nBOA,U1\nBOS,POST,Positions\n", "EOS,POST,2\nEOA,U1\nEOF,U1,1\n"
    file = read(around[0] + text + around[1])
    assert ([p.symbol for p in file.positions], file.rejected) == (["EOS", "BOA"], [])
