"""Who may use a shared cache, and over what: TLS, passwords, and a user who may do no more than is needed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import valkey

from certificates import Certificates, make_certificates
from quotewell.cache.valkey.level import ValkeyLevel
from quotewell.coordination.valkey import ValkeyCoordinator
from quotewell.endpoints import Limit
from quotewell.errors import CacheDegradedWarning, CacheError, UsageError
from quotewell.records import Closes, Failure, History, Quote
from quotewell.settings import Settings, load_settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect
from valkey_servers import GENEROUS, PrivateServer, free_port

PASSWORD = "p@ss/word:50%"
DOCUMENT = Path(__file__).parents[1] / "docs" / "shared-cache.md"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module", params=["redis", "valkey"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[PrivateServer]:
    """Asks for a password, and for TLS where the program can do it; users are those of the documentation."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    (folder / "users.acl").write_text(
        f"user default on >{PASSWORD} ~* &* +@all\n{documented_user()}\n", encoding="utf-8"
    )
    options = [("aclfile", str(folder / "users.acl"))]
    if request.param == "redis":
        options += [
            ("port", "0"),
            ("tls-port", str(port)),
            ("tls-cert-file", str(certificates.certificate)),
            ("tls-key-file", str(certificates.key)),
            ("tls-ca-cert-file", str(certificates.authority)),
            ("tls-auth-clients", "no"),
        ]
    else:
        options.append(("port", str(port)))
    made = PrivateServer(folder, *options, program=request.param, port=port)
    query = f"?ssl_ca_certs={certificates.authority}"
    made.url = f"rediss://quotewell@127.0.0.1:{port}/0{query}" if request.param == "redis" else (
        f"valkey://quotewell@127.0.0.1:{port}/0"
    )  # fmt: skip
    yield made
    made.close()


def documented_user() -> str:
    """The user of the documentation, with its password in it."""
    [line] = re.findall(r"^user quotewell .*$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    return str(line).replace("PASSWORD", PASSWORD)


def settings_of(server: PrivateServer, folder: Path, **more: object) -> Settings:
    named = {"cache_dir": folder, "cache_timeout": GENEROUS, "cache_url": server.url, **more}
    return Settings(**named)  # type: ignore[arg-type]


def test_a_user_with_the_documented_rights_can_do_everything(server: PrivateServer, tmp_path: Path) -> None:
    clock = ManualClock()
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    settings = settings_of(server, tmp_path, cache_password_file=tmp_path / "password")
    url = settings.shared_url()
    level = ValkeyLevel(url, clock, timeout=GENEROUS)
    other = ValkeyLevel(url, clock, timeout=GENEROUS)
    series = Closes(symbol="A", source="x", dates=[1], closes=[2.0])
    level.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=level.rev(), closes=[series])
    level.put_many("quote", [Quote(symbol=name, fetched_at=1.0) for name in "ABC"], begun=level.rev())
    level.fail_many("quote", {"A": Failure("server", "", "x", 1, 0.0, 0.0, 0.0)}, begun=level.rev())
    assert level.get_many("history", ["A"]).keys() == level.get_closes(["A"]).keys() == {"A"}
    rev = other.changes_since(0).rev
    for _ in range(3):
        rev = other.changes_since(rev).rev
    assert level.invalidate_many("quote", ["A"]) == 1
    assert level.prune(2) == 1
    assert level.delete_many("quote", None) == 2
    assert other.changes_since(rev - 1).keys is None
    assert level.keys("quote") == []
    assert level.stats().records == {"history": 1}
    coordinator = ValkeyCoordinator(url, clock, timeout=GENEROUS)
    assert coordinator.lease(["a"], "me", 30.0) == coordinator.renew(["a"], "me", 30.0) == {"a"}
    coordinator.release(["a"], "me")
    assert coordinator.spend("yahoo", Limit(1.0, 1), max_wait=0.0).refused is None
    coordinator.add_usage({"A": 1.0})
    assert coordinator.top_usage(1) == [("A", 1.0)]
    coordinator.add_stats({"quote": {"misses": 1}})
    assert len(coordinator.stats_by_day(1)) == 1
    client = level._server.client
    for forbidden in (("SET", "other", "1"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*")):
        with pytest.raises(valkey.exceptions.NoPermissionError):
            client.execute_command(*forbidden)
    for part in (level, other, coordinator):
        part.close()


@pytest.mark.parametrize("password", ["wrong", None])
def test_without_the_password_the_service_goes_on_alone_and_does_not_tell_it(
    server: PrivateServer, tmp_path: Path, password: str | None
) -> None:
    clock = ManualClock()
    settings = settings_of(server, tmp_path, cache_password=password)
    with (
        pytest.warns(CacheDegradedWarning) as told,
        connect(settings, clock=clock, providers=[FakeProvider(clock, {"A": 1.0})]) as tickers,
    ):
        assert tickers.get_price("A") == 1.0
    assert "wrong" not in "".join(str(warning.message) for warning in told)
    assert PASSWORD not in repr(settings)


def test_a_server_with_a_certificate_of_nobody_we_trust_is_refused(
    server: PrivateServer, tmp_path: Path, certificates: Certificates
) -> None:
    if not server.url.startswith("rediss"):
        pytest.skip("this server speaks no TLS")
    other = make_certificates(tmp_path / "other")
    url = server.url.replace(str(certificates.authority), str(other.authority))
    url = url.replace("quotewell@", f"quotewell:{PASSWORD}@".replace("/", "%2F"))
    with pytest.raises(CacheError, match=r"(?i)certificate") as caught:
        ValkeyLevel(url, ManualClock(), timeout=GENEROUS)
    assert "word" not in str(caught.value)


def test_a_server_with_a_certificate_for_another_address_is_refused(tmp_path: Path) -> None:
    wrong, port = make_certificates(tmp_path / "wrong", address="127.0.0.2"), free_port()
    server = PrivateServer(
        tmp_path,
        ("port", "0"),
        ("tls-port", str(port)),
        ("tls-cert-file", str(wrong.certificate)),
        ("tls-key-file", str(wrong.key)),
        ("tls-ca-cert-file", str(wrong.authority)),
        ("tls-auth-clients", "no"),
        program="redis",
        port=port,
    )
    try:
        with pytest.raises(CacheError, match=r"(?i)certificate"):
            ValkeyLevel(
                f"valkeys://127.0.0.1:{port}/0?ssl_ca_certs={wrong.authority}",
                ManualClock(),
                timeout=GENEROUS,
            )
    finally:
        server.close()


# --------------------------------------------------------------------------------------------- settings


def test_the_password_goes_into_the_url_where_it_has_none(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file\n", encoding="utf-8")
    url = "valkeys://me@[::1]:7/2?ssl_ca_certs=/a"
    assert Settings(cache_url=url, cache_password="p@/ß").shared_url() == (
        "valkeys://me:p%40%2F%C3%9F@[::1]:7/2?ssl_ca_certs=/a"
    )
    assert Settings(cache_url="redis://h", cache_password_file=file).shared_url() == (
        "redis://:from%20a%20file@h"
    )
    assert Settings(cache_url="redis://h", cache_password="x", cache_password_file=file).shared_url() == (
        "redis://:x@h"
    )
    assert Settings(cache_url="redis://a:b@h:1", cache_password="x").shared_url() == "redis://a:b@h:1"
    assert Settings(cache_url="redis://h:1/0").shared_url() == "redis://h:1/0"


def test_what_cannot_be_read_is_a_usage_error_that_tells_no_secret(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Settings(cache_url="redis://h", cache_password_file=tmp_path / "none").shared_url()
    for url in ("redis://", "redis://me:s3cret@h:port", "redis://me:s3cret@h:99999", "valkey://[s3cret"):
        with pytest.raises(UsageError) as caught:
            Settings(cache_url=url).shared_url()
        assert "s3cret" not in str(caught.value) + caught.value.hint
    with pytest.raises(UsageError, match="unknown option"):
        ValkeyLevel("valkey://127.0.0.1:1/0?colour=blue", ManualClock())
    with pytest.raises(UsageError, match="cache_prefix"):
        ValkeyLevel("valkey://h", ManualClock(), prefix="a*")


def test_the_password_comes_from_the_environment_and_is_never_printed() -> None:
    environment = {"QUOTEWELL_CACHE_PASSWORD": PASSWORD, "QUOTEWELL_CACHE_URL": "valkey://me@h"}
    settings = load_settings(environment=environment)
    assert settings.cache_password == PASSWORD
    assert PASSWORD not in repr(settings) + str(settings) + repr(settings.without_secrets())
    assert settings.without_secrets().with_secrets(environment) == settings


def test_a_client_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "valkey", None)
    settings = Settings(cache_url="valkey://127.0.0.1:1", cache_dir=tmp_path)
    with warnings.catch_warnings(), pytest.raises(UsageError) as caught:
        connect(settings, providers=[])
    assert caught.value.hint == "pip install 'quotewell[valkey]'"
