"""Who may use a cache in PostgreSQL, and over what: TLS, passwords, and rights that are just enough."""

from __future__ import annotations

import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from certificates import make_certificates
from child_process import NOBODY
from postgres_server import (
    DEBIAN,
    PostgresServer,
    bundled,
    fresh_schema,
    postgres_server,
    shared_server,
)
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.coordination.postgres import PostgresCoordinator
from quotewell.endpoints import Limit, Pause
from quotewell.errors import CacheDegradedWarning, CacheError, UsageError
from quotewell.records import Closes, Failure, History, Quote, Result
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect
from valkey_servers import skip_or_fail

PASSWORD = "p@ss/word:50%"
OWNER_PASSWORD = "own'er"
DOCUMENT = Path(__file__).parents[1] / "docs" / "shared-cache.md"
GENEROUS = 10.0
TLS = pytest.mark.parametrize("server", ["debian"], indirect=True)


def documented(number: int) -> list[str]:
    """The statements of a numbered block of the documentation, with passwords in them."""
    [block] = re.findall(
        rf"```sql\n-- {number}\. .*?\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL
    )
    text = (
        str(block).replace("OWNER_PASSWORD", OWNER_PASSWORD.replace("'", "''")).replace("PASSWORD", PASSWORD)
    )
    return [statement for statement in text.split(";") if statement.strip()]


@pytest.fixture(scope="module", params=["bundled", "debian"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresServer]:
    """Asks for a password, and for TLS where the program can do it; users and rights are those documented."""
    programs = DEBIAN if request.param == "debian" else bundled()
    if not programs.exists():
        skip_or_fail(f"there is no PostgreSQL in {programs}")
    settings = {}
    secure = request.param == "debian"
    with postgres_server(programs=programs, loopback=True, started=False) as made:
        if secure:
            files = make_certificates(tmp_path_factory.mktemp("certificates"))
            for file in files:
                copied = shutil.copy(file, made.folder)
                shutil.chown(copied, NOBODY, NOBODY)
                Path(copied).chmod(0o600)
            settings = {
                "ssl": "on",
                "ssl_cert_file": str(made.folder / files.certificate.name),
                "ssl_key_file": str(made.folder / files.key.name),
            }
        kind = "hostssl" if secure else "host"
        rules = f"local all postgres trust\n{kind} all all 127.0.0.1/32 scram-sha-256\n"
        (made.data / "pg_hba.conf").write_text(rules, encoding="utf-8")
        made.configuration.update(settings)
        made.start()
        made.query = f"?sslmode=verify-full&sslrootcert={made.folder / 'ca.pem'}" if secure else ""
        for statement in documented(1):
            made.execute(statement)
        PostgresLevel(
            url_of(made, "quotewell_owner", OWNER_PASSWORD), ManualClock(), timeout=GENEROUS
        ).close()
        with psycopg.connect(url_of(made, "quotewell_owner", OWNER_PASSWORD), autocommit=True) as connection:
            for statement in documented(2):
                connection.execute(statement)
        yield made


def url_of(server: PostgresServer, user: str, password: str | None) -> str:
    secret = "" if password is None else f":{quote(password, safe='')}"
    return f"postgresql://{user}{secret}@127.0.0.1:{server.port}/quotewell{server.query}"


# ----------------------------------------------------------------------------------------------- rights


def test_a_user_with_the_documented_rights_can_do_everything(server: PostgresServer) -> None:
    clock = ManualClock()
    url = url_of(server, "quotewell", PASSWORD)
    level, other = (PostgresLevel(url, clock, timeout=GENEROUS) for _ in range(2))
    series = Closes(symbol="A", source="x", dates=[1], closes=[2.0])
    level.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=level.rev(), closes=[series])
    level.put_many("quote", [Quote(symbol=name, fetched_at=1.0) for name in "ABC"], begun=level.rev())
    level.put_many("result:mine", [Result(symbol="k", fetched_at=1.0, blob=b"")], begun=level.rev())
    level.fail_many("quote", {"A": Failure("server", "", "x", 1, 0.0, 0.0, 0.0)}, begun=level.rev())
    assert level.get_many("history", ["A"]).keys() == level.get_closes(["A"]).keys() == {"A"}
    rev = other.changes_since(0).rev
    assert level.invalidate_many("quote", ["A"]) == 1
    assert level.invalidate_many("quote", None) == 3
    assert level.prune(2) == 1
    clock.advance(3601.0)
    assert level.delete_many("quote", None) == 2
    assert level.delete_many("history", ["A"]) == level.delete_many("result:mine", None) == 1
    assert other.changes_since(rev).keys is None
    assert level.keys("quote") == []
    assert level.stats().records == {}
    coordinator = PostgresCoordinator(url, clock, timeout=GENEROUS)
    assert coordinator.lease(["a"], "me", 30.0) == coordinator.renew(["a"], "me", 30.0) == {"a"}
    coordinator.release(["a"], "me")
    assert coordinator.spend("yahoo", Limit(1.0, 1), max_wait=0.0).refused is None
    coordinator.pause("yahoo", clock.now() + 9.0, "HTTP 429")
    assert coordinator.paused("yahoo") == Pause(clock.now() + 9.0, "HTTP 429")
    coordinator.add_usage({"A": 1.0})
    assert coordinator.top_usage(1) == [("A", 1.0)]
    coordinator.add_stats({"quote": {"misses": 1}})
    assert len(coordinator.stats_by_day(1)) == 1
    for part in (level, other, coordinator):
        part.close()


@pytest.mark.parametrize(
    "forbidden",
    [
        "create table quotewell.mine (a integer)",
        "create schema mine",
        "drop table quotewell.quote",
        "alter table quotewell.quote add mine integer",
        "truncate quotewell.quote",
        "delete from quotewell.counter",
        "update quotewell.change set rev = 0",
        "delete from quotewell.budget",
        "set role quotewell_owner",
    ],
)
def test_and_nothing_else(server: PostgresServer, forbidden: str) -> None:
    with psycopg.connect(url_of(server, "quotewell", PASSWORD)) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(forbidden)
        connection.rollback()


def test_the_questions_of_the_documentation_are_answered(server: PostgresServer) -> None:
    [block] = re.findall(r"```sql\n(select .*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    questions = [question for question in block.split(";") if question.strip()]
    assert len(questions) == 4
    with psycopg.connect(url_of(server, "quotewell_owner", OWNER_PASSWORD)) as connection:
        for question in questions:
            assert connection.execute(question).description


def test_a_user_who_may_not_make_the_tables_is_told_what_is_needed(server: PostgresServer) -> None:
    with pytest.raises(CacheError, match="may not do that") as caught:
        PostgresLevel(
            url_of(server, "quotewell", PASSWORD), ManualClock(), schema="another", timeout=GENEROUS
        )
    assert "docs/shared-cache.md" in caught.value.hint


# ------------------------------------------------------------------------------------ passwords and TLS


@pytest.mark.parametrize("password", ["wr0ng", None])
def test_without_the_password_the_service_goes_on_alone_and_does_not_tell_it(
    server: PostgresServer, tmp_path: Path, password: str | None
) -> None:
    clock = ManualClock()
    settings = Settings(
        cache_url=url_of(server, "quotewell", None),
        cache_password=password,
        cache_dir=tmp_path,
        cache_timeout=GENEROUS,
    )
    with (
        pytest.warns(CacheDegradedWarning) as told,
        connect(settings, clock=clock, providers=[FakeProvider(clock, {"A": 1.0})]) as tickers,
    ):
        assert tickers.get_price("A") == 1.0
    assert "wr0ng" not in "".join(str(warning.message) for warning in told)


def test_the_password_of_a_file_opens_the_cache(server: PostgresServer, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    settings = Settings(
        cache_url=url_of(server, "quotewell", None), cache_password_file=tmp_path / "password"
    )
    PostgresLevel(settings.shared_url(), ManualClock(), timeout=GENEROUS).close()


@TLS
def test_connections_over_tls_are_kept(server: PostgresServer) -> None:
    """What TLS itself sends after the greeting is no farewell."""
    level = PostgresLevel(url_of(server, "quotewell", PASSWORD), ManualClock(), timeout=GENEROUS)

    def pid() -> int:
        [[found]] = level._pool.read(
            lambda connection: connection.execute("select pg_backend_pid()").fetchall()
        )
        return int(found)

    assert len({pid() for _ in range(10)}) == 1
    level.close()


@TLS
def test_a_server_with_a_certificate_of_nobody_we_trust_is_refused(
    server: PostgresServer, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path / "other")
    url = url_of(server, "quotewell", PASSWORD).replace(str(server.folder / "ca.pem"), str(other.authority))
    with pytest.raises(CacheError, match=r"(?i)certificate") as caught:
        PostgresLevel(url, ManualClock(), timeout=GENEROUS)
    assert "word" not in str(caught.value)


@TLS
def test_a_connection_without_tls_is_refused_where_the_server_insists(server: PostgresServer) -> None:
    url = url_of(server, "quotewell", PASSWORD).replace(server.query, "?sslmode=disable")
    with pytest.raises(CacheError, match="no encryption"):
        PostgresLevel(url, ManualClock(), timeout=GENEROUS)


@TLS
def test_a_server_with_a_certificate_for_another_name_is_refused(server: PostgresServer) -> None:
    url = url_of(server, "quotewell", PASSWORD).replace("@127.0.0.1", "@localhost")
    with pytest.raises(CacheError, match="does not match"):
        PostgresLevel(url, ManualClock(), timeout=GENEROUS)


# ----------------------------------------------------------------------------------------- wrong settings


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@h:1/db?s3cret=1",
        "postgresql://me:s3cret@[::1/db",
        "postgresql://me:s3cret%@h/db",
        "me:s3cret@h",
    ],
)
def test_what_is_no_url_is_a_usage_error_that_tells_no_secret(url: str) -> None:
    with pytest.raises(UsageError, match="cache_url") as caught:
        PostgresLevel(url, ManualClock())
    assert "s3cret" not in str(caught.value) + caught.value.hint
    assert caught.value.__cause__ is None


def test_a_server_that_is_not_there_is_a_cache_error_that_tells_no_secret(tmp_path: Path) -> None:
    url = f"postgresql://me:s3cret@/db?host={tmp_path}"
    with pytest.raises(CacheError, match="cannot be reached") as caught:
        PostgresLevel(url, ManualClock())
    assert "s3cret" not in str(caught.value) + caught.value.hint
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("schema", ["", "a b", "A", "1a", "a;drop", 'a"', "a" * 41])
def test_what_is_no_name_of_a_schema_is_a_usage_error(schema: str) -> None:
    with pytest.raises(UsageError, match="no name for a schema"):
        PostgresLevel(shared_server().url(), ManualClock(), schema=schema)


def test_a_password_goes_into_a_url_of_any_form() -> None:
    def shared_url(url: str, password: str | None = "p@/&") -> str:
        return Settings(cache_url=url, cache_password=password).shared_url()

    secret = "password=p%40%2F%26"
    assert shared_url("postgresql://me@h:1/db") == f"postgresql://me@h:1/db?{secret}"
    assert shared_url("postgres:///db?host=/run") == f"postgres:///db?host=/run&{secret}"
    assert shared_url("postgresql://a:1,b:2/db") == f"postgresql://a:1,b:2/db?{secret}"
    assert shared_url("postgresql://me:own@h/db") == "postgresql://me:own@h/db"
    assert shared_url("postgresql://h/db", None) == "postgresql://h/db"


def test_a_database_with_another_encoding_is_refused() -> None:
    server = shared_server()
    name = fresh_schema()
    server.execute(f"create database {name} encoding 'LATIN1' locale 'C' template template0")
    with pytest.raises(CacheError, match="encoding is LATIN1"):
        PostgresLevel(server.url(database=name), ManualClock())


def test_a_client_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in ("psycopg", "quotewell.cache.postgres.connection", "quotewell.cache.postgres.pool"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    settings = Settings(cache_url="postgresql://127.0.0.1:1/db", cache_dir=tmp_path)
    with warnings.catch_warnings(), pytest.raises(UsageError) as caught:
        connect(settings, providers=[])
    assert caught.value.hint == "pip install 'quotewell[postgres]'"
