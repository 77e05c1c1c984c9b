"""Database files that are damaged, before a service opens them and while it uses them."""

from __future__ import annotations

import os
import random
import sqlite3
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from engine_parts import fetches_ended
from quotewell.cache.sqlite import file as sqlite_file
from quotewell.errors import StaleDataWarning
from survival import SYMBOLS, Market, checkpointed, integrity, set_aside, warnings_told

PAGE = 4096
FILES = ["cache.db", "state.db"]
RUNS = 100


def overwrite(path: Path, start: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


def noise(length: int) -> bytes:
    return random.Random(length).randbytes(length)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_header(path: Path) -> None:
    overwrite(path, 3, b"\xff")


def flip_schema(path: Path) -> None:
    """The b-tree header of the first page, where the schema begins."""
    overwrite(path, 100, b"\xff\xff\xff")


def scribble_over_the_middle(path: Path) -> None:
    """Every page but the first."""
    overwrite(path, PAGE, noise(path.stat().st_size - PAGE))


def write_text_into(path: Path) -> None:
    path.write_text("this is not a database\n" * 1000)


def replace_by_text(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("this is not a database\n" * 1000)
    other.replace(path)


def replace_by_noise(path: Path) -> None:
    path.write_bytes(noise(5 * PAGE))


DAMAGES: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (
        truncate,
        flip_header,
        flip_schema,
        scribble_over_the_middle,
        write_text_into,
        replace_by_text,
        replace_by_noise,
    )
}


@pytest.fixture
def market() -> Market:
    return Market()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_damaged_before_opening_is_set_aside_and_built_anew(
    tmp_path: Path, market: Market, name: str, damage: str
) -> None:
    market.fill(tmp_path)
    DAMAGES[damage](tmp_path / name)
    market.next_round()
    with warnings_told() as told, market.open(tmp_path) as tickers:
        market.check(tickers)
    assert_rebuilt(tmp_path, name, told)
    assert market.stored(tmp_path) == market.provider.prices


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_damaged_in_use_is_set_aside_while_the_service_answers(
    tmp_path: Path, market: Market, name: str, damage: str
) -> None:
    market.fill(tmp_path)
    with warnings_told() as told, market.open(tmp_path) as tickers:
        market.check(tickers)
        checkpointed(tmp_path / name)
        DAMAGES[damage](tmp_path / name)
        market.check(tickers)
        market.next_round()
        assert market.wrong(tickers) == []
        market.check(tickers)
    assert_rebuilt(tmp_path, name, told)
    assert market.stored(tmp_path) == market.provider.prices


def assert_rebuilt(folder: Path, name: str, told: list[str]) -> None:
    [aside] = set_aside(folder, name)
    [text] = told
    assert f"{name} was damaged" in text
    assert aside in text
    for file in FILES:
        assert integrity(folder / file) == "ok"


def test_the_tests_above_see_it_when_damage_is_not_recognised(
    tmp_path: Path, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "is_damage", lambda error: False)
    market.fill(tmp_path)
    with warnings_told() as told, market.open(tmp_path) as tickers:
        checkpointed(tmp_path / "cache.db")
        replace_by_text(tmp_path / "cache.db")
        market.next_round()
        market.check(tickers)
    assert set_aside(tmp_path, "cache.db") == []
    assert "going on with memory alone" in told[0]


@pytest.mark.parametrize("content", [b"\xff", b"\x00", None])
def test_a_log_damaged_in_use_costs_no_answer(tmp_path: Path, market: Market, content: bytes | None) -> None:
    with warnings_told() as told, market.open(tmp_path) as tickers:
        market.check(tickers)
        log = tmp_path / "cache.db-wal"
        size = log.stat().st_size
        assert size > 10 * PAGE
        if content is None:
            os.truncate(log, size // 2)
        else:
            overwrite(log, 0, content * size)
        market.check(tickers)
        market.next_round()
        market.check(tickers)
    assert len(told) == len(set_aside(tmp_path, "cache.db")) <= 1
    assert integrity(tmp_path / "cache.db") == "ok"
    assert market.stored(tmp_path) == market.provider.prices


def test_a_log_damaged_before_opening_loses_only_what_it_held(tmp_path: Path, market: Market) -> None:
    tickers = market.open(tmp_path)
    tickers.get_many(SYMBOLS)
    copy = tmp_path / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):  # as a killed process leaves them
        content = (tmp_path / f"cache.db{suffix}").read_bytes()
        (copy / f"cache.db{suffix}").write_bytes(content)
    tickers.close()
    log = copy / "cache.db-wal"
    overwrite(log, log.stat().st_size // 2, noise(1000))
    market.next_round()
    with warnings_told() as told, market.open(copy) as tickers:
        market.check(tickers)
    assert told == []
    assert market.stored(copy) == market.provider.prices


def test_a_value_that_is_no_text_any_more_does_not_keep_the_service_from_its_cache(
    tmp_path: Path, market: Market
) -> None:
    market.fill(tmp_path)
    connection = sqlite3.connect(tmp_path / "cache.db")
    connection.execute("update quote set source = cast(x'e5e5' as text) where symbol = 'S077'")
    connection.commit()
    connection.close()
    market.next_round()
    with warnings_told() as told, market.open(tmp_path) as tickers:
        market.check(tickers)
    assert_rebuilt(tmp_path, "cache.db", told)


# ------------------------------------------------------------------------------------------------- at random


@pytest.mark.torture
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "in_use"), [*product(FILES, [False, True]), ("cache.db-wal", True)])
def test_bytes_flipped_at_random_cost_no_answer(tmp_path: Path, name: str, in_use: bool) -> None:
    """SQLite has no checksums, so a flipped byte may be part of a number; it is never part of two."""
    choice = random.Random(7)
    noticed = 0
    for run in range(RUNS):
        folder = tmp_path / str(run)
        market = Market()
        tickers = market.open(folder)
        tickers.get_many(SYMBOLS)
        fetches_ended()
        if not in_use:
            tickers.close()
        elif name == "cache.db":
            checkpointed(folder / name)
        flips = choice.choice([1, 4, 64])
        size = (folder / name).stat().st_size
        for _ in range(flips):
            place = choice.randrange(size)
            old = (folder / name).read_bytes()[place]
            overwrite(folder / name, place, bytes([old ^ (1 << choice.randrange(8))]))
        with warnings_told() as told, warnings.catch_warnings():
            # A flipped byte of a currency has the next price held back: the old one is served, marked.
            warnings.simplefilter("ignore", StaleDataWarning)
            if not in_use:
                tickers = market.open(folder)
            wrong = len(market.wrong(tickers))
            market.next_round()
            # A flipped byte may be part of a date, too, by which an old price is taken for fresh.
            wrong = max(wrong, len(market.wrong(tickers)))
            tickers.close()
            with market.open(folder) as tickers:
                wrong = max(wrong, len(market.wrong(tickers)))
            fetches_ended()
        noticed += bool(told)
        assert wrong <= flips
    assert noticed > 0 or in_use  # what is read before is in SQLite's own memory
