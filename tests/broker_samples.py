"""A small file of each broker's layout, row by row with what it must become."""

from __future__ import annotations

import datetime as dt

import msgspec

from quotewell.calendars import close_of

__all__ = ["SAMPLES", "Sample"]

_FIDELITY_HEADER = (
    "Account Number,Account Name,Symbol,Description,Quantity,Last Price,Last Price Change,Current Value,"
    "Cost Basis Total,Average Cost Basis,Type"
)


class Sample(msgspec.Struct):
    """A file of one broker: rows by what they must become."""

    broker: str
    header: str
    rows: dict[str, list[str]]
    bad: str
    """A row whose quantity is the text in `{}`."""
    trailing: str = ""
    variant: str = ""
    """Which of the broker's layouts it is, where there are several."""
    as_of: float | None = None
    """What the rows themselves say of it."""


def _flex(  # one argument a column that differs
    currency: str, asset: str, symbol: str, exchange: str, quantity: str, price: str, value: str
) -> str:
    cells = (
        "U1",
        currency,
        "1" if currency == "USD" else "1.1",
        asset,
        symbol,
        "",
        exchange,
        "1",
        "20250508",
    )
    return ",".join(f'"{cell}"' for cell in (*cells, quantity, price, value, "1", "Long", "SUMMARY"))


SAMPLES = [
    Sample(
        broker="Fidelity",
        header=_FIDELITY_HEADER,
        rows={
            "stock": [
                'Z1,Mine,AMZN,AMAZON.COM INC,"1,400.0",$193.10,+$4.39,"$270,340.00 ",$217533.79,--,Margin,',
                "Z1,Mine,ARKK,ARK ETF TRUST,-10,$51.78,+$2.19,($517.80),$532.86,$53.29,Short",
                "Z1,Mine,021ESC017,SOME ESCROW SHS,33.0,--,--,--,$1640.10,$49.70,Margin",
                "Z2,Other,AMZN,AMAZON.COM INC,1,$193.10,+$4.39,$193.10,n/a,n/a,Margin",
            ],
            "option": [
                "Z1,Mine, -AMZN250516C190,AMZN MAY 16 2025 $190 CALL,-7.0,$5.80,+$2.05,-$4060.00,--,--,Margin"
            ],
            "cash": ["Z1,Mine,SPAXX**,HELD IN MONEY MARKET,,,,$81865.97,,,Cash"],
            "pending": ["Z1,Mine,Pending Activity,,,,$526587.25,,,,"],
            "unknown": ["Z1,Mine,???,SOMETHING ODD,,,,$10.00,,,Cash"],
            "rejected": ["Z1,Mine,NVDA,NVIDIA,abc,$1.00,,$1.00,,,Margin"],
            "": ["Z1,Mine,,,,,,,,,"],
        },
        bad="Z1,Mine,AMZN,AMAZON,{},$1.00,,$1.00,,,Margin",
        trailing='\n"Prices are delayed and provided as they are."\n"Date downloaded May-08-2025"\n',
    ),
    Sample(
        broker="Fidelity",
        variant="custom view",
        header="Symbol,Quantity,Last,$ Avg Cost,Value",
        rows={
            "stock": ['AMZN,"1,400",193.10,155.38,"270,340.00"', "ARKK,-10,51.78,53.29,-517.80"],
            "option": ["DEF260227P15,-2,1.20,0.85,-240.00"],
            "cash": ['Cash (SPAXX),"5,000.25",1.00,,"5,000.25"', "Cash (FDRXX),,--,--,7.50"],
            "pending": ["Pending Activity,,,,12.50"],
            "rejected": ["NVDA,abc,1.00,,1.00"],
            "": [",,,,", "Totals,,,,278000.45"],
        },
        bad="AMZN,{},1,1,1",
        trailing='\nDisclosure\n"The data and information in this spreadsheet is provided as it is."\n',
    ),
    Sample(
        broker="Schwab",
        header='"Symbol","Description","Qty (Quantity)","Price","Price Chng $ (Price Change $)",'
        '"Mkt Val (Market Value)","Cost Basis","Ratings","Asset Type",',
        rows={
            "stock": [
                '"BRK/B","BERKSHIRE HATHAWAY","10","$500.00","$1.00","$5,000.00","$4,000.00","--","Equity",',
                '"SMCI","SUPER MICRO COMPUTER","-3","40.00","--","-$120.00","Incomplete","C","Equity",',
            ],
            "option": [
                '"SMAL 04/01/2020 32.00 P","PUT SMALL CAP INDEX $32","-2","1.5","","-300","","","Option"'
            ],
            "cash": [
                '"Cash & Cash Investments","--","--","--","--","$6,601.37","--","--","Cash and Money Market",'
            ],
            "unknown": [
                '"912810TM0","US TREASURY","10,000","98.50","--","$9,850.00","--","--","Fixed Income",'
            ],
            "rejected": ['"NVDA","NVIDIA","abc","$1.00","--","$1.00","--","--","Equity",'],
            "": [
                '"","","","","","","","","",',
                '"Positions Total","","--","--","--","$21,031.37","$0.00","--","--",',
            ],
        },
        bad='"AMZN","AMAZON","{}","$1.00","--","$1.00","--","--","Equity",',
    ),
    Sample(
        broker="Schwab",
        variant="old headings",
        header="Symbol,Description,Quantity,Price,Market Value,Cost Basis,Security Type",
        rows={
            "stock": ["BRK/B,BERKSHIRE HATHAWAY,10,500.00,5000.00,4000.00,Equity,"],
            "option": [
                "BRK/B 01/16/2026 500.00 C,CALL BERKSHIRE $500 EXP 01/16/26,1,$15.00,$1500.00,--,Option,"
            ],
            "cash": ["Cash & Cash Investments,--,--,--,-$50.00,--,Cash and Money Market,"],
            "rejected": ["912810TM0,US TREASURY BOND,10000,98.50,--,--,Fixed Income,"],
            "": ["Account Total,--,--,--,$6450.00,--,--,"],
        },
        bad="AMZN,AMAZON,{},$1.00,$1.00,--,Equity,",
    ),
    Sample(
        broker="Vanguard",
        header="Account Number,Investment Name,Symbol,Shares,Share Price,Total Value,",
        rows={
            "stock": ["12345678,VANGUARD S&P 500 ETF,VOO,10.5,400.00,4200.00,"],
            "cash": [
                "12345678,VANGUARD FEDERAL MONEY MARKET,VMFXX,1234.56,1,1234.56,",
                "12345678,SETTLEMENT FUND,,1000.00,1.00,1000.00,",
            ],
            "unknown": ["12345678,U S TREASURY NOTE 1.875 01/15/36,null,5000,99.50,4975.00,"],
            "rejected": ["12345678,NVIDIA,NVDA,abc,1.00,1.00,"],
            "": [",,,,,,"],
        },
        bad="12345678,AMAZON,AMZN,{},1.00,1.00,",
        trailing="\n\nAccount Number,Trade Date,Settlement Date,Transaction Type,Transaction Description,"
        "Investment Name,Symbol,Shares,Share Price,Principal Amount,Commissions and Fees,Net Amount,\n"
        "12345678,2025-05-23,2025-05-27,Buy,Buy,VANGUARD S&P 500 ETF,VOO,3,400.00,-1200.00,0.0,-1200.00,\n",
    ),
    Sample(
        broker="Vanguard",
        variant="529 plan",
        header="Fund Account Number,Fund Name,Price,Shares,Total Value",
        rows={
            "unknown": [
                "974455687-02,Vanguard 500 Index Portfolio,$116.24,293.8615,$34158.46",
                "974455687-02,2034/2035 Enrollment Portfolio,$19.64,1634.4842,$32101.27",
            ],
            "rejected": ["974455687-02,Some Portfolio,$1.00,5,--"],
        },
        bad="974455687-02,Some Portfolio,$1.00,{},$5.00",
        trailing="\nAccount Number,Trade Date,Process Date,Transaction Type,Transaction Description,"
        "Investment Name,Share Price,Shares,Gross Amount\n"
        "974455687-02,03/02/2026,03/02/2026,Qualified w/d,ACH,Some Portfolio,$109.92,-12.9697,$-1425.63\n",
    ),
    Sample(
        broker="E*TRADE",
        header="Symbol,Last Price $,Change $,Change %,Qty #,Price Paid $,Day's Gain $,"
        "Total Gain $,Total Gain %,Value $",
        rows={
            "stock": [
                'MSFT,420.00,1.00,0.24,10,350.25,10.00,697.50,19.91,"4,200.00"',
                "ARKK,50.00,1.00,0.24,-10,40.00,-10.00,-100.00,-25,-500.00,",
            ],
            "option": ["AAPL Jan 19 '24 $150 Call,2.10,0,0,-1,2.75,0,65,23.6,-210.00"],
            "cash": ["CASH,,,,,,,,,250.00,", "VUSXX,1.00,0,0,2500.50,1.00,0,0,0,2500.50"],
            "rejected": ["NVDA,1.00,0,0,abc,1,0,0,0,1.00"],
            "": [
                "  01/15/2022,420.00,1.00,0.24,4,350.25,10.00,697.50,19.91,1680.00",
                "  --,420.00,1.00,0.24,6,350.25,10.00,697.50,19.91,2520.00",
                "TOTAL,,,,,,,,,6240.50,",
            ],
        },
        bad="AMZN,1.00,0,0,{},1,0,0,0,1.00",
    ),
    Sample(
        broker="Merrill",
        header='"COB Date","Security #","Symbol","CUSIP #","Security Description","Account Nickname",'
        '"Account Registration","Account #","Quantity","Price ($)","Value ($)"',
        rows={
            "stock": [
                '"2/13/2026","00415","AMD","007903107","AMD INC","--","CMA","27Z","10","420.99","4,209.90"'
            ],
            "option": [
                '"2/9/2026","","XYZ#B1326C425000","","CALL XYZ 425 EXP 02-13-26","","","","(3)","1.5","(450)"'
            ],
            "cash": [
                '"2/13/2026","","IIAXX","990286916","BANK DEPOSIT PROGRAM","","","2","774","1.00","774.00"',
                '"2/13/2026","","--","990156937","DIRECT DEPOSIT PROGRM","","","2","774","1.00","774.00"',
            ],
            "rejected": ['"2/13/2026","1","NVDA","","NVIDIA","--","CMA-Edge","27Z","abc","1.00","1.00"'],
        },
        bad='"2/13/2026","1","AMZN","","AMAZON","--","CMA-Edge","27Z","{}","1.00","1.00"',
        as_of=close_of(dt.date(2026, 2, 13)),
    ),
    Sample(
        broker="tastytrade",
        header="Account,Symbol,Type,Quantity,Exp Date,DTE,Strike Price,Call/Put,P/L Open,Trade Price,NetLiq",
        rows={
            "stock": [
                "5WX1,AAPL,Equity,100,,,,,12.00,150.00,20000.00",
                "5WX1,F,Stock,-5,--,--,--,--,1,10,-60",
            ],
            "option": [
                "5WX1,AAPL,Equity Option,-1,2025-01-17,30,150.0,Put,5.00,2.50,-200.00",
                "5WX1,AAPL  250117C00150000,Equity Option,1,,,,,5.00,2.50,200.00",
            ],
            "rejected": [
                "5WX1,/ESZ5,Future,1,,,,,1,5000,250",
                "5WX1,AAPL,Equity Option,1,2025-01-17,30,,Put,1,1,1",
                "5WX1,NVDA,Equity,abc,,,,,1,1,1",
            ],
            "": [",,,,,,,,,,"],
        },
        bad="5WX1,AMZN,Equity,{},,,,,1,1,1",
    ),
    Sample(
        broker="Interactive Brokers",
        header='"ClientAccountID","CurrencyPrimary","FXRateToBase","AssetClass","Symbol","Description",'
        '"ListingExchange","Multiplier","ReportDate","Quantity","MarkPrice","PositionValue","CostBasisMoney",'
        '"Side","LevelOfDetail"',
        rows={
            "stock": [
                _flex("USD", "STK", "BRK B", "NYSE", "10", "500", "5000"),
                _flex("GBP", "STK", "VOD", "LSE", "-100", "0.725", "-72.5"),
                _flex("HKD", "STK", "700", "SEHK", "100", "480", "48000"),
            ],
            "option": [_flex("USD", "OPT", "BBWI  251121P00022500", "CBOE", "-2", "1.5", "-300")],
            "cash": [_flex("USD", "CASH", "EUR", "", "250", "1", "250")],
            "unknown": [_flex("USD", "BOND", "T 4 1/4 11/15/34", "", "1000", "99.5", "995")],
            "rejected": [
                _flex("USD", "STK", "NVDA", "NASDAQ", "abc", "1", "1"),
                _flex("EUR", "STK", "XYZ", "", "1", "1", "1"),
                _flex("USD", "FUT", "ESM5", "CME", "1", "5000", ""),
            ],
        },
        bad=_flex("USD", "STK", "AMZN", "NASDAQ", "{}", "1", "1"),
        as_of=close_of(dt.date(2025, 5, 8)),
    ),
    Sample(
        broker="Interactive Brokers statement",
        header="Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,"
        "Cost Price,Cost Basis,Close Price,Value,Unrealized P/L,Code",
        rows={
            "stock": [
                "Open Positions,Data,Summary,Stocks,USD,AMZN,10,1,150,1500,193.1,1931,431,",
                "Open Positions,Data,Summary,Stocks,GBP,VOD,-100,1,0.7,-70,0.725,-72.5,-2.5,",
            ],
            "option": ["Open Positions,Data,Summary,Options,USD,SPY 31MAR25 570 C,-1,100,5,-500,4,-400,100,"],
            "unknown": ["Open Positions,Data,Summary,Bonds,USD,T 4 1/4 11/15/34,1000,1,99,990,99.5,995,5,"],
            "rejected": ["Open Positions,Data,Summary,Stocks,USD,NVDA,abc,1,1,1,1,1,0,"],
            "": [
                "Open Positions,Data,Lot,Stocks,USD,AMZN,10,,150,1500,193.1,1931,431,",
                "Open Positions,Total,,Stocks,USD,,,,,1430,,1858.5,428.5,",
            ],
        },
        bad="Open Positions,Data,Summary,Stocks,USD,AMZN,{},1,1,1,1,1,0,",
    ),
    Sample(
        broker="plain",
        header="Symbol,Quantity,Account,Currency,Price,Value",
        rows={
            "stock": ["AMZN,10,A,USD,193.10,1931.00", "amzn,-3,B,USD,,", "021ESC017,33,A,USD,--,n/a,"],
            "option": ["AMZN250516C00190000,-7,A,USD,5.80,-4060"],
            "cash": ["CASH,100,A,USD,,", "FMPXX,5,A,USD,1.00,5"],
            "unknown": ["???,,A,USD,,10.00"],
            "rejected": ["NVDA,abc,A,USD,,", ",5,A,USD,,"],
            "": [",,,,,"],
        },
        bad="AMZN,{},A,USD,1,1",
    ),
]
