from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pytest

from quotewell.calendars import close_of
from quotewell.endpoints import Call, Fetched, Lane
from quotewell.errors import ProviderError
from quotewell.providers.files import FilesProvider
from quotewell.records import Closes, Dividend, Facet, Fx, History, Need, Profile, Quote, Rate
from quotewell.testing.clock import ManualClock

HEADER = "symbol,price,previous_close,currency,as_of,name,dividend_yield\n"
QUOTES, CLOSES = FilesProvider.endpoints


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def provider(tmp_path: Path, clock: ManualClock) -> FilesProvider:
    return FilesProvider(tmp_path, clock)


def ask(provider: FilesProvider, *needs: Need) -> Fetched:
    endpoint = CLOSES if any(facet == "history" for _, facet in needs) else QUOTES
    symbols = tuple(dict.fromkeys(symbol for symbol, _ in needs))
    call = Call(endpoint, symbols, frozenset(needs))
    return provider.fetch(call, lane=Lane.INTERACTIVE, deadline=math.inf)


def quotes(folder: Path, *rows: str, header: str = HEADER) -> None:
    (folder / "quotes.csv").write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")


def reason(fetched: Fetched, need: Need) -> str:
    error = fetched.failed[need]
    assert isinstance(error, ProviderError)
    assert error.failure == "invalid"
    return str(error)


def test_a_row_gives_quote_profile_and_yield(
    provider: FilesProvider, tmp_path: Path, clock: ManualClock
) -> None:
    quotes(tmp_path, "AAPL,231.5,230.1,USD,2025-01-15T15:00:00Z,Apple Inc.,0.0045")
    fetched = ask(provider, ("AAPL", "quote"))
    as_of = dt.datetime(2025, 1, 15, 15, tzinfo=dt.UTC).timestamp()
    now = clock.now()
    assert fetched.found == {
        ("AAPL", "quote"): Quote(
            symbol="AAPL",
            source="files",
            as_of=as_of,
            fetched_at=now,
            last=231.5,
            previous_close=230.1,
            currency="USD",
        ),
        ("AAPL", "profile"): Profile(
            symbol="AAPL", source="files", fetched_at=now, name="Apple Inc.", currency="USD"
        ),
        ("AAPL", "dividend"): Dividend(
            symbol="AAPL", source="files", as_of=as_of, fetched_at=now, dividend_yield=0.0045
        ),
    }


def test_only_symbol_and_price_are_needed_in_any_order_and_case(
    provider: FilesProvider, tmp_path: Path
) -> None:
    quotes(tmp_path, "", " 62.5 , brk.b ", header="\ufeff Price ,SYMBOL\n")
    fetched = ask(provider, ("BRK-B", "quote"), ("BRK-B", "profile"), ("BRK-B", "dividend"))
    quote = fetched.found["BRK-B", "quote"]
    assert isinstance(quote, Quote)
    assert (quote.last, quote.previous_close, quote.currency, quote.as_of, quote.type) == (
        62.5, None, None, None, None,
    )  # fmt: skip
    assert fetched.omitted == {("BRK-B", "profile"), ("BRK-B", "dividend")}


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2025-01-15T10:00:00-05:00", dt.datetime(2025, 1, 15, 15, tzinfo=dt.UTC).timestamp()),
        ("2025-01-15T15:00", dt.datetime(2025, 1, 15, 15, tzinfo=dt.UTC).timestamp()),
        ("2025-01-15 15:00:00Z", dt.datetime(2025, 1, 15, 15, tzinfo=dt.UTC).timestamp()),
        ("2025-01-15", close_of(dt.date(2025, 1, 15))),
        ("", None),
    ],
)
def test_as_of_is_iso_8601_utc_unless_it_says_otherwise_and_a_date_is_its_close(
    provider: FilesProvider, tmp_path: Path, text: str, instant: float | None
) -> None:
    quotes(tmp_path, f"AAPL,231.5,,USD,{text}")
    assert ask(provider, ("AAPL", "quote")).found["AAPL", "quote"].as_of == instant


def test_a_pair_is_an_exchange_rate_and_priced_in_its_second_currency(
    provider: FilesProvider, tmp_path: Path
) -> None:
    quotes(tmp_path, "EURUSD=X,1.0842")
    found = ask(provider, ("EURUSD=X", "fx")).found
    fx, quote, profile = (found["EURUSD=X", facet] for facet in ("fx", "quote", "profile"))
    assert isinstance(fx, Fx)
    assert fx.rate == 1.0842
    assert isinstance(quote, Quote)
    assert (quote.currency, quote.type) == ("USD", "currency")
    assert isinstance(profile, Profile)
    assert profile.type == "currency"


@pytest.mark.parametrize(
    ("row", "years", "rate"),
    [
        ("^IRX,4.2", 91 / 365, -math.log(1 - 0.042 * 91 / 360) * 365 / 91),
        ("^FVX,4.0", 5.0, 2 * math.log(1.02)),
        ("^TNX,4.5", 10.0, 2 * math.log(1.0225)),
        ("^TYX,0.01", 30.0, 2 * math.log(1.00005)),
    ],
)
def test_a_treasury_index_is_a_point_of_the_curve(
    provider: FilesProvider, tmp_path: Path, row: str, years: float, rate: float
) -> None:
    quotes(tmp_path, row)
    need: Need = (row[:4], "rate")
    point = ask(provider, need).found[need]
    assert isinstance(point, Rate)
    assert point.years == pytest.approx(years)
    assert point.rate == pytest.approx(rate, rel=1e-14)


def test_an_index_and_an_option_tell_their_type(provider: FilesProvider, tmp_path: Path) -> None:
    quotes(tmp_path, "^GSPC,5000", "AAPL250417C220,5.5,,USD")
    found = ask(provider, ("^GSPC", "quote"), ("AAPL250417C00220000", "quote")).found
    types = {symbol: record.type for (symbol, _), record in found.items() if isinstance(record, Quote)}
    assert types == {"^GSPC": "index", "AAPL250417C00220000": "option"}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("AAPL,abc,,USD,", "quotes.csv:3: price 'abc' is not a number"),
        ("AAPL,,,USD,", "quotes.csv:3: price '' is not a number"),
        ("AAPL", "quotes.csv:3: price '' is not a number"),
        ("AAPL,nan,,USD,", "quotes.csv:3: price 'nan' is not a number"),
        ("AAPL,1e400,,USD,", "quotes.csv:3: price '1e400' is not a number"),
        ("AAPL,-5,,USD,", "quotes.csv:3: price '-5' is not positive"),
        ("AAPL,5,x,USD,", "quotes.csv:3: previous_close 'x' is not a number"),
        ("AAPL,5,4,USD,yesterday", "quotes.csv:3: as_of 'yesterday' is not ISO 8601"),
        ("AAPL,5,4,USD,2025-13-01", "quotes.csv:3: as_of '2025-13-01' is not ISO 8601"),
        ("AAPL,5,4,USD,,Apple,high", "quotes.csv:3: dividend_yield 'high' is not a number"),
    ],
)
def test_a_bad_row_is_a_failure_that_names_file_and_line(
    provider: FilesProvider, tmp_path: Path, row: str, complaint: str
) -> None:
    quotes(tmp_path, "MSFT,400,,USD,", row)
    fetched = ask(provider, ("AAPL", "quote"), ("AAPL", "profile"), ("MSFT", "quote"))
    assert complaint in reason(fetched, ("AAPL", "quote"))
    assert fetched.failed.keys() == {("AAPL", "quote"), ("AAPL", "profile")}
    assert ("MSFT", "quote") in fetched.found


def test_a_discount_beyond_the_face_value_is_no_rate(provider: FilesProvider, tmp_path: Path) -> None:
    quotes(tmp_path, "^IRX,400")
    assert "quotes.csv:2: ^IRX: 400 percent" in reason(ask(provider, ("^IRX", "rate")), ("^IRX", "rate"))


def test_the_last_of_several_rows_counts(provider: FilesProvider, tmp_path: Path) -> None:
    quotes(tmp_path, "AAPL,1,,USD,", "aapl,2,,USD,")
    quote = ask(provider, ("AAPL", "quote")).found["AAPL", "quote"]
    assert isinstance(quote, Quote)
    assert quote.last == 2.0


def test_a_symbol_in_no_row_is_unknown_and_rows_that_name_none_do_not_matter(
    provider: FilesProvider, tmp_path: Path
) -> None:
    quotes(tmp_path, "not a symbol!,1,,USD,", ",2,,,", "AAPL,3,,USD,")
    fetched = ask(provider, ("MSFT", "quote"), ("MSFT", "profile"), ("AAPL", "quote"))
    assert fetched.unknown == {("MSFT", "quote"), ("MSFT", "profile")}
    assert ("AAPL", "quote") in fetched.found


def test_an_edit_shows_at_the_next_fetch(provider: FilesProvider, tmp_path: Path) -> None:
    assert ask(provider, ("AAPL", "quote")).unknown == {("AAPL", "quote")}
    quotes(tmp_path, "AAPL,3,,USD,")
    assert ask(provider, ("AAPL", "quote")).found


def test_a_folder_that_does_not_exist_is_an_error_not_an_empty_market(
    tmp_path: Path, clock: ManualClock
) -> None:
    with pytest.raises(ProviderError, match="QUOTEWELL_FILES_DIR") as raised:
        ask(FilesProvider(tmp_path / "none", clock), ("AAPL", "quote"))
    assert raised.value.failure == "invalid"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"ticker,price\nAAPL,1\n", r"quotes\.csv:1: the header has no column symbol"),
        (b"\nsymbol\nAAPL\n", r"quotes\.csv:2: the header has no column price"),
        (b"symbol,price\n\xff\xfe,1\n", r"quotes\.csv: cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_whole_call(
    provider: FilesProvider, tmp_path: Path, content: bytes, complaint: str
) -> None:
    (tmp_path / "quotes.csv").write_bytes(content)
    with pytest.raises(ProviderError, match=complaint):
        ask(provider, ("AAPL", "quote"))


class TestCloses:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "closes"
        folder.mkdir()
        return folder

    def test_closes_are_sorted_by_date_and_adj_close_is_ignored(
        self, provider: FilesProvider, folder: Path, clock: ManualClock
    ) -> None:
        (folder / "AAPL.csv").write_text("date,close,adj_close\n2025-01-14,233.3,1\n\n2025-01-13,234.4,1\n")
        fetched = ask(provider, ("AAPL", "history"))
        days = [dt.date(2025, 1, 13).toordinal(), dt.date(2025, 1, 14).toordinal()]
        assert fetched.closes == {
            "AAPL": Closes(symbol="AAPL", source="files", dates=days, closes=[234.4, 233.3])
        }
        assert fetched.found == {
            ("AAPL", "history"): History(
                symbol="AAPL",
                source="files",
                as_of=close_of(dt.date(2025, 1, 14)),
                fetched_at=clock.now(),
                first_date=days[0],
                last_date=days[1],
                bars=2,
            )
        }

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ("date,close\n2025-01-13,234.4\n13.1.2025,1\n", "AAPL.csv:3: date '13.1.2025' is not of"),
            ("date,close\n2025-01-13,-1\n", "AAPL.csv:2: close '-1' is not positive"),
            ("date,close\n", "AAPL.csv: it has no bars"),
            ("", "AAPL.csv: it has no bars"),
            ("date,adj_close\n2025-01-13,1\n", "AAPL.csv:1: the header has no column close"),
        ],
    )  # fmt: skip
    def test_a_bad_file_is_a_failure_of_its_symbol_only(
        self, provider: FilesProvider, folder: Path, content: str, complaint: str
    ) -> None:
        (folder / "AAPL.csv").write_text(content)
        (folder / "MSFT.csv").write_text("date,close\n2025-01-13,417.2\n")
        fetched = ask(provider, ("AAPL", "history"), ("MSFT", "history"))
        assert complaint in reason(fetched, ("AAPL", "history"))
        assert fetched.found.keys() == {("MSFT", "history")}

    def test_a_symbol_without_a_file_is_unknown(self, provider: FilesProvider) -> None:
        assert ask(provider, ("AAPL", "history")).unknown == {("AAPL", "history")}

    @pytest.mark.parametrize("symbol", ["../quotes", "../../secret", "a/b"])
    def test_a_symbol_is_no_way_out_of_the_folder(
        self, provider: FilesProvider, folder: Path, tmp_path: Path, symbol: str
    ) -> None:
        (tmp_path / "quotes.csv").write_text("date,close\n2025-01-13,1\n")
        assert ask(provider, (symbol, "history")).unknown == {(symbol, "history")}


@pytest.mark.parametrize("facet", ["fx", "rate", "risk"])
def test_a_facet_that_a_row_does_not_carry_is_omitted(
    provider: FilesProvider, tmp_path: Path, facet: Facet
) -> None:
    quotes(tmp_path, "AAPL,3,,USD,")
    assert ask(provider, ("AAPL", facet)).omitted == {("AAPL", facet)}
