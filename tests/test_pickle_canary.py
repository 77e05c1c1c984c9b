"""A planted pickle is never loaded, wherever an attacker may have put it.

Each case runs in a process of its own, in which an audit hook counts what is looked up by unpickling, and in
which the pickle, were it loaded, would write a file.
"""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from quotewell.testing import MarketSimulator

COMMON = """
import os, pickle, sys, warnings
found = []
sys.addaudithook(lambda event, arguments: event == "pickle.find_class" and found.append(arguments))
loaded = []
for name in ("load", "loads"):
    def counted(*arguments, load=getattr(pickle, name), **options):
        loaded.append(load.__name__)
        return load(*arguments, **options)
    setattr(pickle, name, counted)
folder, canary, url = sys.argv[1:]
import quotewell
"""

RESULT = """
tickers = quotewell.open(cache_dir=folder, cache_url=None, providers=("snapshot",))

@quotewell.cached(tickers, namespace="planted", fresh=1e9)
def answer(key: str) -> object:
    return "computed"

print("result:", answer("key"))
"""

FACETS = """
tickers = quotewell.open(cache_dir=folder, cache_url=None, providers=("snapshot",))
print(tickers.get_price("AAPL"))
tickers.prefetch(["MSFT"])
"""

YAHOO = """
tickers = quotewell.open(cache_dir=folder, yahoo_base_url=url, providers=("yahoo",), calendars="plain")
tickers.prefetch([("AAPL", "quote"), ("AAPL", "history")])
print(tickers.get_price("AAPL"))
"""

CONTROL = """
from yfinance import cache
print(cache.get_cookie_cache().lookup("basic"))
"""

END = """
import yfinance.cache
print(f"looked up {len(found)}, loaded {len(loaded)}, canary {os.path.exists(canary)}")
"""


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return exec, (f"open({str(self._canary)!r}, 'w').close()",)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def said_by(program: str, folder: Path, canary: Path, url: str = "") -> str:
    """What a process prints whose home is the folder."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    environment["PYTHONPATH"] = ":".join(sys.path)
    command = [sys.executable, "-c", COMMON + program + END, str(folder), str(canary), url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def plant_files(folder: Path, bomb: bytes) -> None:
    """Pickles under every name that somebody's cache has ever had."""
    names = (
        "cache.pkl",
        "cache.pickle",
        "cache.db.pkl",
        "quotewell.pickle",
        "state.db-journal.pkl",
        "cookies",
    )
    for name in names:
        (folder / name).write_bytes(bomb)


def plant_result(folder: Path, bomb: bytes) -> None:
    """A cached result, fresh for years, with this blob."""
    connection = sqlite3.connect(folder / "cache.db")
    connection.execute(
        "insert into result (namespace, key, source, as_of, fetched_at, blob, rev)"
        " values ('planted', 'key', 'planted', 1.0, unixepoch(), ?, 1)",
        (bomb,),
    )
    connection.commit()
    connection.close()


def plant_cookies(folder: Path, bomb: bytes) -> None:
    """The cookie cache of yfinance, which is a table of pickles."""
    place = folder / "py-yfinance"
    place.mkdir()
    connection = sqlite3.connect(place / "cookies.db")
    connection.execute(
        "create table _cookieschema (strategy varchar(255) not null primary key,"
        " fetch_date datetime not null, cookie_bytes blob not null) without rowid"
    )
    now = datetime.now(UTC).replace(tzinfo=None).isoformat()
    for strategy in ("basic", "csrf", "curlCffi"):
        connection.execute(
            "insert into _cookieschema values (?, ?, ?)",
            (strategy, now, bomb),
        )
    connection.commit()
    connection.close()


SAFE = "looked up 0, loaded 0, canary False\n"


def test_a_pickle_among_the_cached_results_is_a_miss(folder: Path, canary: Path) -> None:
    said_by(FACETS, folder, canary)  # makes the files
    plant_result(folder, pickle.dumps(Bomb(canary)))
    assert said_by(RESULT, folder, canary) == "result: computed\n" + SAFE


def test_what_the_test_above_plants_is_used_when_it_is_no_pickle(folder: Path, canary: Path) -> None:
    said_by(FACETS, folder, canary)
    plant_result(folder, msgspec.msgpack.encode("planted"))
    assert said_by(RESULT, folder, canary) == "result: planted\n" + SAFE


@pytest.mark.parametrize("name", ["cache.db", "state.db"])
def test_a_pickle_in_place_of_a_database_is_set_aside(folder: Path, canary: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps([Bomb(canary)] * 500))
    assert said_by("warnings.simplefilter('ignore')\n" + FACETS, folder, canary).endswith(SAFE)
    assert list(folder.glob(f"{name}.corrupt-*"))


def test_pickles_in_the_cache_folder_are_left_alone(folder: Path, canary: Path) -> None:
    plant_files(folder, pickle.dumps(Bomb(canary)))
    assert said_by(FACETS, folder, canary).endswith(SAFE)
    assert (folder / "cache.pkl").exists()


def test_the_cookie_cache_of_yfinance_is_not_read(folder: Path, canary: Path) -> None:
    plant_cookies(folder, pickle.dumps(Bomb(canary)))
    with MarketSimulator(symbols=["AAPL"]) as simulator:
        assert said_by(YAHOO, folder, canary, simulator.yahoo_url).endswith(SAFE)
    assert not (folder / "py-yfinance" / "tkr-tz.db").exists()


def test_the_test_above_sees_it_when_yfinance_reads_its_cookies(folder: Path, canary: Path) -> None:
    plant_cookies(folder, pickle.dumps(Bomb(canary)))
    assert said_by(CONTROL, folder, canary).endswith("looked up 1, loaded 1, canary True\n")


def test_there_is_no_unpickling_in_the_library() -> None:
    source = Path(__file__).parents[1] / "src" / "quotewell"
    for word in (
        "import pickle",
        "from pickle",
        "import shelve",
        "import dill",
        "import joblib",
        "read_pickle",
    ):
        assert [path.name for path in source.rglob("*.py") if word in path.read_text()] == []
