from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.positions import CashPosition, OptionPosition, StockPosition, UnknownPosition

NEW = (
    '"Symbol","Description","Qty (Quantity)","Price","Price Chng $ (Price Change $)",'
    '"Mkt Val (Market Value)","Cost Basis","Reinvest?","Asset Type",\n'
)
OLD = "Symbol,Description,Quantity,Price,Market Value,Cost Basis,Security Type\n"
ALL_ACCOUNTS = (
    '"Positions for All-Accounts as of 06:04 PM ET, 11/13/2020"\n\n'
    '"Brokerage XXXX-1234"\n'
    f"{OLD}"
    '"SMAL 04/01/2021 32.00 P","PUT SMALL CAP INDEX $32","-2","$1.50","-$300.00","$280.00","Option",\n'
    '"BRK/B","BERKSHIRE HATHAWAY INC CLASS B","10","$220.00","$2,200.00","$1,900.00","Equity",\n'
    '"Cash & Cash Investments","--","--","--","$1,234.56","--","Cash and Money Market",\n'
    '"Account Total","--","--","--","$3,134.56","$2,180.00","--",\n'
    "\n"
    "Roth IRA ...1111\n"
    f"{OLD}"
    '"SWVXX","SCHWAB VALUE ADVANTAGE MONEY FUND","50","1.00","$50.00","$50.00","Cash and Money Market",\n'
    '"Account Total","--","--","--","$50.00","$50.00","--",\n'
)


def read(text: str, name: str = "positions.csv") -> ImportedFile:
    return read_positions(text.encode(), name)


def new_york(*parts: int) -> float:
    return dt.datetime(*parts, tzinfo=ZoneInfo("America/New_York")).timestamp()  # type: ignore[arg-type, misc]  # a date by its parts


def test_each_row_belongs_to_the_account_whose_label_stands_above_it() -> None:
    file = read(ALL_ACCOUNTS)
    assert (file.broker, file.rejected) == ("Schwab", [])
    assert [(p.account, p.symbol, p.quantity, p.line) for p in file.positions] == [
        ("Brokerage XXXX-1234", "SMAL210401P00032000", -2.0, 5),
        ("Brokerage XXXX-1234", "BRK-B", 10.0, 6),
        ("Brokerage XXXX-1234", "CASH & CASH INVESTMENTS", None, 7),
        ("Roth IRA ...1111", "SWVXX", 50.0, 12),
    ]
    assert [type(p) for p in file.positions] == [OptionPosition, StockPosition, CashPosition, CashPosition]
    assert {p.currency for p in file.positions} == {"USD"}


def test_totals_are_no_rows_but_what_the_broker_states() -> None:
    file = read(ALL_ACCOUNTS)
    assert file.rows == 4
    assert file.stated_totals == {"Brokerage XXXX-1234": 3134.56, "Roth IRA ...1111": 50.0}
    for account, total in file.stated_totals.items():
        assert sum(p.value or 0.0 for p in file.positions if p.account == account) == pytest.approx(total)


@pytest.mark.parametrize(
    ("title", "instant"),
    [
        ("Positions for All-Accounts as of 06:04 PM ET, 11/13/2020", (2020, 11, 13, 16, 0)),
        ("Positions for All-Accounts as of 11:04 AM ET, 2020/11/13", (2020, 11, 13, 11, 4)),
        ("Positions for account Joint ...123 as of 12:33 PM EDT, 2025/05/05", (2025, 5, 5, 12, 33)),
        ("Positions for All-Accounts as of 06:04 PM ET, 11/15/2020", (2020, 11, 13, 16, 0)),  # a Sunday
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_the_title_dates_the_prices_in_new_yorks_time(
    title: str, instant: tuple[int, ...], quote: str
) -> None:
    file = read(f"{quote}{title}{quote}\n\n{NEW}AAPL,APPLE,1,2,,2,1,No,Equity,\n", "x-2019-01-02.csv")
    assert file.as_of == new_york(*instant)


def test_a_file_of_one_account_names_it_in_its_title() -> None:
    title = '"Positions for account Individual ...123 as of 12:33 PM ET, 2025/05/05","","",""\n"","","",""\n'
    file = read(title + NEW + "AAPL,APPLE,1,2,,2,1,No,Equity,\nPositions Total,,--,--,--,$2.00,--,--,--,\n")
    assert file.accounts == ("Individual ...123",)
    assert file.stated_totals == {"Individual ...123": 2.0}


def test_a_label_may_be_any_text_between_the_title_and_a_header() -> None:
    title = "Positions for All-Accounts as of 12:33 PM ET, 2025/05/05\n\n"
    row = "AAPL,APPLE,1,2,,2,1,No,Equity,\n"
    file = read(title + "College\n" + NEW + row + "\nOur House\n" + NEW + row + "Old IRA XXX456\n" + row)
    assert [p.account for p in file.positions] == ["College", "Our House", "Old IRA XXX456"]
    assert file.rejected == []


def test_headings_may_differ_from_one_account_to_the_next() -> None:
    other = '"Symbol","Asset Type","Mkt Val (Market Value)","Qty (Quantity)"\n"MSFT","Equity","$5.00","2"\n'
    file = read(f"One ...111\n{NEW}AAPL,APPLE,1,2,,2,1,No,Equity,\n\nTwo ...222\n{other}")
    assert [(p.symbol, p.quantity, p.value, p.account) for p in file.positions] == [
        ("AAPL", 1.0, 2.0, "One ...111"),
        ("MSFT", 2.0, 5.0, "Two ...222"),
    ]


@pytest.mark.parametrize("basis", ["Incomplete", "--", "N/A", ""])
def test_a_cost_basis_that_schwab_does_not_know_is_unknown(basis: str) -> None:
    (position,) = read(NEW + f'"AAPL","APPLE","1","2","","2","{basis}","No","Equity",\n').positions
    assert position.cost_basis is None


@pytest.mark.parametrize(
    ("symbol", "price", "value"), [("912810TM0", "98.50", "$9,850.00"), ("912810QF8", "101.00", "$13,900.00")]
)
def test_bonds_are_worth_what_schwab_says(symbol: str, price: str, value: str) -> None:
    row = f'"{symbol}","US TREASURY","10,000","{price}","","{value}","--","No","%s",\n'
    for asset_type in ("Fixed Income", "--"):
        (position,) = read(NEW + row % asset_type).positions
        assert isinstance(position, UnknownPosition)
        assert position.value == float(value.strip("$").replace(",", ""))


def test_a_bond_without_a_value_is_not_priced_per_unit() -> None:
    (rejected,) = read(
        NEW + '"912810TM0","US TREASURY","10,000","98.50","","--","--","No","Fixed Income",'
    ).rejected
    assert rejected.reason == "a bond without a value: its price is per 100 of face value"


def test_futures_are_worth_what_schwab_says_and_their_cash_is_cash() -> None:
    futures = '"Futures Positions Market Value","--","--","--","--","$250.00","--","--","--",\n'
    cash = '"Futures Cash","--","--","--","--","$1,000.00","--","--","--",\n'
    unknown, held = read(NEW + futures + cash).positions
    assert (type(unknown), unknown.value) == (UnknownPosition, 250.0)
    assert (type(held), held.value) == (CashPosition, 1000.0)


def test_what_schwab_calls_an_option_is_never_read_as_its_underlying() -> None:
    row = '"SMAL 04/01/2020 32.00","PUT","-2","$1.50","","%s","--","No","Option",\n'
    file = read(NEW + row % "-$300.00" + row % "--")
    (unknown,) = file.positions
    assert isinstance(unknown, UnknownPosition)
    assert [rejected.line for rejected in file.rejected] == [3]


def test_text_below_the_last_account_is_a_note() -> None:
    file = read(ALL_ACCOUNTS + '\n\n"Data shown here is provided as it is, without any warranty"\n')
    assert (file.rows, file.rejected, len(file.notes)) == (4, [], 1)


def test_a_table_with_currencies_is_somebodys_own() -> None:
    file = read("Symbol,Quantity,Market Value,Asset Type,Currency\nSAP.DE,1,2,Equity,EUR\n")
    assert (file.broker, file.positions[0].currency) == ("plain", "EUR")


def test_a_list_of_transactions_is_no_list_of_positions() -> None:
    text = '"Date","Action","Symbol","Description","Quantity","Price","Fees & Comm","Amount"\n'
    with pytest.raises(ImportFailed, match="transactions"):
        read(text + '"01/02/2025","Buy","AAPL","APPLE","1","$2","","-$2"\n')


def test_an_account_in_a_quoted_title_may_have_quotation_marks_itself() -> None:
    title = '"Positions for account The ""Good"" One, Inc ...123 as of 06:04 PM ET, 2025/05/08"'
    header = '"Symbol","Description","Quantity","Price","Market Value","Security Type"'
    file = read_positions(f'{title}\n\n{header}\n"AMZN","AMAZON","1","2","2","Equity"\n'.encode())
    assert file.accounts == ('The "Good" One, Inc ...123',)
