"""Services sent to other processes and threads, left unclosed, and ended in the middle of fetches."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import textwrap
import warnings
import weakref
from pathlib import Path

import pytest

import quotewell
from engine_parts import LONGEST_WAIT, fetches_ended, in_threads, price_of, service_on
from quotewell import TickerService, UsageError
from quotewell.cache.memory_level import MemoryLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.settings import Settings, load_settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect

KEY = "fmp-key-that-nobody-may-see"
PRICE = 125.674
"""Of AAPL in the bundled snapshot."""


def opened(folder: Path, **settings: object) -> TickerService:
    return quotewell.open(cache_dir=folder, providers=("snapshot", "fmp"), calendars="plain", **settings)


def run(program: str, data: bytes = b"", *, environment: dict[str, str] | None = None) -> str:
    """What a process prints that is given `data`; any warning or word on stderr is an error."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    variables = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": ":".join(sys.path)}
    variables |= environment or {}
    done = subprocess.run(
        command, input=data, env=variables, capture_output=True, timeout=LONGEST_WAIT, check=False, cwd="/"
    )
    assert (done.stderr.decode(), done.returncode) == ("", 0)
    return done.stdout.decode()


# ----------------------------------------------------------------------------------------------- pickling

ARRIVAL = """
    import pickle, sys
    with pickle.loads(sys.stdin.buffer.read()) as tickers:
        settings = tickers.settings
        print(tickers.get_price("AAPL"), settings.cache_dir, settings.benchmark, settings.fmp_api_key)
"""


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_service_is_opened_anew_without_its_secrets(tmp_path: Path, protocol: int) -> None:
    with opened(tmp_path, fmp_api_key=KEY, benchmark="^IXIC") as tickers:
        tickers.get_price("AAPL")
        data = pickle.dumps(tickers, protocol)
        assert KEY.encode() not in data
        assert run(ARRIVAL, data) == f"{PRICE} {tmp_path} ^IXIC None\n"


def test_secrets_come_from_where_it_arrives(tmp_path: Path) -> None:
    with opened(tmp_path, fmp_api_key=KEY) as tickers:
        data = pickle.dumps(tickers)
    assert run(ARRIVAL, data, environment={"FMP_API_KEY": "theirs"}).endswith(" theirs\n")
    with opened(tmp_path, fmp_api_key=None) as tickers:
        data = pickle.dumps(tickers)
    assert run(ARRIVAL, data, environment={"FMP_API_KEY": "theirs"}).endswith(" None\n")


def test_a_relative_folder_is_the_same_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(Path("here")) as tickers:
        assert run(ARRIVAL, pickle.dumps(tickers)) == f"{PRICE} {tmp_path / 'here'} ^GSPC None\n"


def test_a_copy_is_a_service_of_its_own_on_the_same_folder(tmp_path: Path) -> None:
    with opened(tmp_path) as tickers, copy.copy(tickers) as second, copy.deepcopy(tickers) as third:
        tickers.get_price("AAPL")
        assert second.engine is not tickers.engine
        assert third.peek([("AAPL", "quote")])["AAPL", "quote"].usable
        second.close()
        assert tickers.get_price("AAPL") == PRICE


def test_it_can_be_sent_to_a_thread_and_back(tmp_path: Path) -> None:
    with opened(tmp_path) as tickers:
        data = pickle.dumps(tickers)

        def use(_: int) -> float:
            with pickle.loads(data) as mine:
                return float(mine.get_price("AAPL"))

        assert [errand.result() for errand in in_threads(4, use)] == [PRICE] * 4


@pytest.mark.parametrize("own", ["clock", "providers", "stores"])
def test_a_service_with_parts_of_its_own_refuses(own: str) -> None:
    clock = ManualClock()
    parts = {
        "clock": clock,
        "providers": [FakeProvider(clock)],
        "stores": (MemoryLevel(clock), LocalCoordinator(clock)),
    }
    settings = Settings(cache_url="memory://", providers=("snapshot",))
    with connect(settings, **{own: parts[own]}) as tickers:  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="cannot be pickled; make it where it is used"):
            pickle.dumps(tickers)
        with pytest.raises(TypeError, match="cannot be pickled"):
            copy.copy(tickers)


def test_a_shared_cache_is_named_where_it_arrives() -> None:
    sent = Settings(cache_url="redis://user:secret@host").without_secrets()
    assert "secret" not in repr(sent) + str(sent.cache_url)
    with pytest.raises(UsageError, match="cache_url: the settings came without it") as caught:
        sent.with_secrets({"QUOTEWELL_CONFIG": ""})
    assert "QUOTEWELL_CACHE_URL" in caught.value.hint
    here = {"QUOTEWELL_CACHE_URL": "redis://other@host"}
    assert sent.with_secrets(here).cache_url == "redis://other@host"
    private = Settings(cache_url="memory://")
    assert private.without_secrets().with_secrets(here) == private


def test_nothing_but_secrets_and_the_way_to_folders_is_changed() -> None:
    settings = load_settings({"fmp_api_key": KEY, "lifetimes": {"quote": {"fresh": 7.0}}}, {})
    environment = {"FMP_API_KEY": KEY, "QUOTEWELL_LIFETIMES": "{}"}
    assert settings.without_secrets().with_secrets(environment) == settings
    assert KEY not in str(vars(Settings)) + repr(settings.without_secrets())


# --------------------------------------------------------------------------------- unclosed, and endings


def test_an_unclosed_service_is_collected_without_a_word(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tickers = opened(tmp_path)
        assert tickers.get_price("AAPL") == PRICE
        fetches_ended()
        gone = weakref.ref(tickers)
        del tickers
        gc.collect()
    assert gone() is None
    with opened(tmp_path) as again:
        assert again.peek([("AAPL", "quote")])["AAPL", "quote"].usable


def test_a_service_that_is_dropped_in_the_middle_of_a_fetch_still_stores_the_answer() -> None:
    clock = ManualClock()
    provider = FakeProvider(clock, {"AAPL": PRICE})
    level = MemoryLevel(clock)
    tickers = service_on((level, LocalCoordinator(clock)), clock, provider)
    provider.hold()
    assert price_of(tickers, "AAPL", timeout=0.0) is None
    provider.await_calls(1)
    del tickers
    gc.collect()
    provider.release()
    fetches_ended()
    assert level.keys("quote") == ["AAPL"]


ENDING = """
    import threading
    from quotewell.cache.sqlite.level import SqliteLevel
    from quotewell.clock import SystemClock
    from quotewell.coordination.sqlite import SqliteCoordinator
    from quotewell.settings import Settings
    from quotewell.testing import FakeProvider
    from quotewell.wiring import connect
    import pathlib, sys

    how, folder = sys.stdin.read().splitlines()
    clock, folder = SystemClock(), pathlib.Path(folder)
    symbols = [f"S{number}" for number in range(1000)]
    provider = FakeProvider(clock, dict.fromkeys(symbols, 1.0))
    stores = SqliteLevel(folder / "cache.db", clock), SqliteCoordinator(folder / "state.db", clock)
    tickers = connect(Settings(calendars="plain"), clock=clock, providers=[provider], stores=stores)
    if how == "waiting":
        provider.hold()
    for part in range(8):  # each has several batches to store
        needs = [(symbol, "quote") for symbol in symbols[part::8]]
        threading.Thread(target=tickers.prefetch, args=(needs,), daemon=True).start()
    provider.await_calls(2)
    print("ending", flush=True)
"""


@pytest.mark.parametrize("how", ["storing", "waiting"])
def test_an_interpreter_ends_in_silence_in_the_middle_of_fetches(tmp_path: Path, how: str) -> None:
    for number in range(3):
        folder = tmp_path / str(number)
        assert run(ENDING, f"{how}\n{folder}".encode()) == "ending\n"
