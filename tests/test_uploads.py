"""Books that clients hand over: bounded, in memory, under keys of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_parts import in_threads, service_on
from quotewell.cache.memory_level import MemoryLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import read_positions
from quotewell.service import TickerService
from quotewell.testing import FakeProvider, ManualClock
from quotewell.views.uploads import MOST_FILES, Uploads


@pytest.fixture
def tickers() -> Iterator[TickerService]:
    clock = ManualClock()
    with service_on((MemoryLevel(clock), LocalCoordinator(clock)), clock, FakeProvider(clock)) as service:
        yield service


def table(symbol: str) -> bytes:
    return f"symbol,quantity,price\n{symbol},1,190\n".encode()


def test_a_book_is_found_under_its_key_until_it_is_removed(tickers: TickerService) -> None:
    uploads = Uploads(tickers)
    upload = uploads.add([("positions.csv", table("AAPL"))])
    assert uploads.get(upload.key) is upload
    assert (upload.name, upload.read_at) == ("positions.csv", tickers.now())
    assert [position.symbol for position in upload.book.positions] == ["AAPL"]
    assert upload.book.tickers is tickers
    uploads.remove(upload.key)
    for forgotten in (uploads.get, uploads.remove):
        with pytest.raises(KeyError):
            forgotten(upload.key)


def test_several_files_are_one_book(tickers: TickerService) -> None:
    upload = Uploads(tickers).add([("a.csv", table("AAPL")), ("b.csv", table("MSFT"))])
    assert upload.name == "a.csv, b.csv"
    assert [position.symbol for position in upload.book.positions] == ["AAPL", "MSFT"]


def test_no_two_keys_are_alike_and_each_holds_128_bits(tickers: TickerService) -> None:
    uploads = Uploads(tickers)
    keys = [uploads.add([("a.csv", table("AAPL"))]).key for _ in range(20)]
    assert len(set(keys)) == 20
    assert {len(key) for key in keys} == {22}  # 16 bytes in base64


def test_the_oldest_goes_when_there_are_too_many(tickers: TickerService) -> None:
    uploads = Uploads(tickers, most_books=2)
    first, second, third = (uploads.add([("a.csv", table(name))]) for name in ("A", "B", "C"))
    assert uploads.all() == [second, third]
    with pytest.raises(KeyError):
        uploads.get(first.key)


def test_the_oldest_goes_when_they_are_too_large(tickers: TickerService) -> None:
    uploads = Uploads(tickers, most_bytes=2 * len(table("A")))
    kept = [uploads.add([("a.csv", table(name))]) for name in ("A", "B", "C")]
    assert uploads.all() == kept[1:]


def test_the_servers_own_book_stays_whatever_is_handed_over(tickers: TickerService) -> None:
    uploads = Uploads(tickers, most_books=1)
    own = uploads.keep(read_positions(table("OWN"), "own.csv"), "its-key")
    kept = [uploads.add([("a.csv", table(name))]) for name in ("A", "B")]
    assert uploads.all() == [own, kept[1]]
    assert uploads.get("its-key").book.positions[0].symbol == "OWN"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "0 files"),
        ([("a.csv", b"symbol,quantity\nA,1\n")] * (MOST_FILES + 1), "21 files"),
        ([("a.csv", b"symbol,quantity\nA,1\n" + b" " * 2**20)], "larger than 1 MB"),
        ([("a.csv", b"symbol,quantity\n")], "no rows"),
        ([("a.csv", b"nothing of that kind")], "no header"),
        ([("a.xlsx", b"PK\x03\x04" + b"\0" * 100)], "a.xlsx"),
    ],
)
def test_what_cannot_be_a_book_is_refused_and_nothing_kept(
    tickers: TickerService, files: list[tuple[str, bytes]], reason: str
) -> None:
    uploads = Uploads(tickers, most_bytes=2**20)
    with pytest.raises(ImportFailed, match=reason):
        uploads.add(files)
    assert uploads.all() == []


@pytest.mark.parametrize("name", ["/etc/passwd", "..\\..\\passwd", "../../passwd", "a/b/passwd"])
def test_a_name_is_only_shown_and_never_opened(
    tickers: TickerService, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a client's name was opened")

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr("builtins.open", opened)
    assert Uploads(tickers).add([(name, table("AAPL"))]).name == "passwd"


def test_a_name_cannot_steer_a_terminal(tickers: TickerService) -> None:
    assert "\x1b" not in Uploads(tickers).add([("\x1b[31mred\r\n.csv", table("A"))]).name


def test_threads_may_add_and_remove_at_once(tickers: TickerService) -> None:
    uploads = Uploads(tickers, most_books=5)
    errands = in_threads(8, lambda n: [uploads.add([("a.csv", table(f"S{n}"))]) for _ in range(20)])
    for errand in errands:
        errand.result()
    assert len(uploads.all()) == 5
