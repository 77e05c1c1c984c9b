"""All settings in one frozen struct; the only reader of the environment and of `quotewell.toml`.

Precedence: argument, environment `QUOTEWELL_<FIELD>`, `quotewell.toml` (in the user's config folder, or the
file that `QUOTEWELL_CONFIG` names), default. `docs/settings.md` lists them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from quotewell.errors import UsageError
from quotewell.wrong_settings import said, unknown_setting, wrong_setting

__all__ = ["Settings", "load_mapping", "load_settings", "save_mapping"]

_PREFIX = "QUOTEWELL_"
_SECRETS = frozenset({"fmp_api_key", "cache_url", "cache_password"})
_HARMLESS = ("", "memory://")
_LIBPQ = ("postgresql", "postgres")
_WITHHELD = "withheld"
_PLAIN_NAMES = {"FMP_API_KEY": "fmp_api_key"}
_NOT_FIELDS = frozenset({"QUOTEWELL_CONFIG"})

_Positive = Annotated[float, msgspec.Meta(gt=0.0)]
_NotNegative = Annotated[float, msgspec.Meta(ge=0.0)]
_AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """Everything that can be set; durations in seconds, rates in requests a second."""

    providers: tuple[str, ...] = ("yahoo", "fmp")
    """Asked in this order; `fmp` only with a key."""
    files_dir: Path | None = None
    """The folder of the `files` provider."""
    cache_dir: Path | None = None
    """Where `cache.db` and `state.db` live; default: the user's cache folder."""
    cache_url: str | None = None
    """A shared cache instead of SQLite: `valkey://…`, `postgresql://…` (docs/shared-cache.md); `memory://`
    keeps everything in this process."""
    cache_password: str | None = None
    """The shared cache's password, where its URL has none."""
    cache_password_file: Path | None = None
    """A file with that password, such as a container's secret."""
    cache_prefix: str = "quotewell"
    """With what all keys in Valkey or Redis begin."""
    cache_schema: str = "quotewell"
    """The schema of the tables in PostgreSQL."""
    cache_timeout: _Positive = 0.5
    """How long the shared cache may take for an answer before the service goes on without it."""
    offline: bool = False
    """Never ask a provider."""

    yahoo_base_url: str | None = None
    yahoo_rate: _Positive = 2.0
    yahoo_burst: _AtLeastOne = 5
    yahoo_concurrency: _AtLeastOne = 2
    fmp_base_url: str = "https://financialmodelingprep.com/stable"
    fmp_api_key: str | None = None
    fmp_rate: _Positive = 4.0
    fmp_burst: _AtLeastOne = 5
    fmp_per_day: int | None = 250
    """The free plan's daily allowance; 0 for none."""
    fmp_batch_quotes: bool = False
    """Whether the plan allows `batch-quote`."""

    benchmark: str = "^GSPC"
    beta: Literal["computed", "weekly", "provider"] = "computed"
    base_currency: str = "USD"
    overrides: Path | None = None
    """A file of prices, betas and more that the user knows better (docs/overrides.md)."""
    calendars: Literal["exchange", "plain"] = "exchange"
    """Sessions of every exchange with its holidays and half days, or New York's weekdays alone."""

    connect_timeout: _Positive = 5.0
    request_timeout: _Positive = 15.0
    get_timeout: _NotNegative = 20.0
    """How long `get_*` may take at most before it raises or serves a stale value."""
    soft_timeout: _NotNegative = 2.0
    """How long a call waits for a fetch when a stale value is at hand."""
    command_timeout: _NotNegative = 15.0
    """The soft timeout of commands."""
    prefetch_timeout: _NotNegative = 600.0
    lease_seconds: _Positive = 30.0

    memory_records: int = 500_000
    """Bound of the memory level, in records over all facets."""
    memory_bytes: int = 256 * 1024 * 1024
    """Bound of the memory level, in bytes that its records take, about."""
    cache_records: int = 1_000_000
    """Bound of the persistent level, in records a facet."""
    lifetimes: dict[str, dict[str, float]] = {}
    """Cells of the lifetime table: `[lifetimes.quote] fresh = 60`."""

    def __repr__(self) -> str:
        """All that differs from the default, without secrets."""
        return f"Settings({', '.join(f'{field}={value!r}' for field, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The same for rich, which would print every field of a struct, in tracebacks too."""
        return [
            (field, "***" if field in _SECRETS else value)
            for field in self.__struct_fields__
            if (value := getattr(self, field)) != getattr(_DEFAULTS, field)
        ]

    @property
    def cache_folder(self) -> Path:
        """Where the cache lives."""
        if self.cache_dir is not None:
            return self.cache_dir.expanduser()
        folder = _linux_folder("XDG_CACHE_HOME", ".cache")
        if folder is not None:
            return folder
        from platformdirs import user_cache_path  # noqa: PLC0415  slow to import

        return user_cache_path("quotewell", appauthor=False)

    def shared_url(self) -> str:
        """`cache_url` with the password in it; a secret.

        Raises:
            UsageError: There is no such URL, its port is no number, or the password's file cannot be read.
        """
        from urllib.parse import quote, urlsplit  # noqa: PLC0415  only where a cache is shared

        try:
            parts = urlsplit(self.cache_url or "")
            if parts.scheme in _LIBPQ:
                # It may name several hosts, or the folder of a socket; libpq takes a password anywhere.
                password = None if parts.password else self.cache_password or self._password_from_file()
                name = "" if password is None else f"{'&' if parts.query else '?'}password="
                return f"{self.cache_url}{name}{quote(password or '', safe='')}"
            host, port, password = parts.hostname, parts.port, parts.password
        except ValueError:
            host = None
        if not host:
            raise UsageError(
                "cache_url: it names no host, or a wrong port", hint="like valkey://user@host:6379/0"
            )
        if password is None:
            password = self.cache_password or self._password_from_file()
            secret = "" if password is None else f":{quote(password, safe='')}"
        else:
            secret = f":{password}"
        name = f"[{host}]" if ":" in host else host
        at = f"{parts.username or ''}{secret}@" if parts.username or secret else ""
        where = f"{at}{name}" if port is None else f"{at}{name}:{port}"
        return parts._replace(netloc=where).geturl()

    @property
    def cache_place(self) -> str:
        """Where the values that all processes share are, without user and password; to be shown."""
        url = self.cache_url
        if url is None:
            return str(self.cache_folder)
        if url == "memory://":
            return url
        from urllib.parse import urlsplit  # noqa: PLC0415  only where a cache is shared

        parts = urlsplit(self.shared_url())
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def _password_from_file(self) -> str | None:
        if self.cache_password_file is None:
            return None
        path = self.cache_password_file.expanduser()
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n") or None
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"cache_password_file: {path} cannot be read: {said(error)}",
                hint="check its name and permissions",
            ) from error

    def without_secrets(self) -> Settings:
        """The same with a mark in place of each secret, for `with_secrets`, and with absolute folders."""
        marks = {name: _WITHHELD for name in _SECRETS if (getattr(self, name) or "") not in _HARMLESS}
        folders = {
            name: folder.expanduser().absolute()
            for name in ("cache_dir", "cache_password_file", "files_dir", "overrides")
            if (folder := getattr(self, name)) is not None
        }
        return msgspec.structs.replace(self, **marks, **folders)

    def with_secrets(self, environment: Mapping[str, str] | None = None) -> Settings:
        """Put this process's secrets, from environment or config file, in the place of marks.

        Raises:
            UsageError: There is no `cache_url` here, or the config file is unreadable.
        """
        withheld = [name for name in _SECRETS if getattr(self, name) == _WITHHELD]
        if not withheld:
            return self
        here = load_settings(environment=environment)
        if "cache_url" in withheld and here.cache_url is None:
            raise UsageError(
                "cache_url: the settings came without it, for it may hold a password",
                hint="set QUOTEWELL_CACHE_URL",
            )
        return msgspec.structs.replace(self, **{name: getattr(here, name) for name in withheld})


_DEFAULTS = Settings()


def load_settings(
    arguments: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Settings from all sources, in order of precedence.

    Args:
        arguments: Fields given in code or on the command line; a value of None counts as not given.
        environment: Read instead of `os.environ`.

    Raises:
        UsageError: For an unknown field, a value of the wrong type, or an unreadable config file.
    """
    environ = os.environ if environment is None else environment
    path, fields = _from_file(environ)
    origins = {field: f"{path}: {field}" for field in fields}
    for name, field, value in _from_environment(environ):
        fields[field], origins[field] = value, name
    for field, value in (arguments or {}).items():
        if value is not None:
            fields[field], origins[field] = value, field
    unknown = fields.keys() - set(Settings.__struct_fields__)
    if unknown:
        raise unknown_setting(unknown, origins, Settings.__struct_fields__)
    try:
        return msgspec.convert(fields, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise wrong_setting(str(error), fields, origins, Settings, _SECRETS) from error


def _path(kind: type, value: object) -> object:
    return kind(value)


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str, object]]:
    """Variable, field and value of all that are set."""
    for name, field in _PLAIN_NAMES.items():
        if environ.get(name):
            yield name, field, environ[name]
    for name, text in environ.items():
        if not name.startswith(_PREFIX) or name in _NOT_FIELDS or not text:
            continue
        field = name.removeprefix(_PREFIX).lower()
        yield name, field, _parsed(name, field, text)


def _parsed(name: str, field: str, text: str) -> object:
    if field == "providers":
        return [word.strip() for word in text.split(",") if word.strip()]
    if field == "lifetimes":
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise UsageError(f"{name}: is no JSON: {error}", hint='like {"quote": {"fresh": 60}}') from error
    return text


def _from_file(environ: Mapping[str, str]) -> tuple[Path, dict[str, Any]]:
    named = environ.get("QUOTEWELL_CONFIG")
    path = Path(named) if named else _user_config()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if named:
            raise UsageError(
                f"QUOTEWELL_CONFIG: {path} does not exist", hint="write it, or unset QUOTEWELL_CONFIG"
            ) from None
        return path, {}
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    import tomllib  # noqa: PLC0415  most have no config file

    try:
        return path, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UsageError:
    if isinstance(error, OSError):
        return UsageError(f"{path}: cannot be read: {said(error)}", hint="check its name and permissions")
    return UsageError(f"{path}: cannot be read as TOML: {error}", hint="docs/settings.md shows one")


def load_mapping(name: str) -> dict[str, str]:
    """The mapping of columns that was saved by this name (`mappings/NAME.toml` in the config folder).

    Raises:
        UsageError: There is none, it cannot be read, or the name is none.
    """
    path = _mapping_path(name)
    try:
        return msgspec.toml.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        saved = ", ".join(sorted(file.stem for file in path.parent.glob("*.toml"))) or "none"
        raise UsageError(f"there is no mapping {name!r}", hint=f"saved in {path.parent}: {saved}") from None
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise _unreadable(path, error) from error


def save_mapping(name: str, mapping: Mapping[str, str]) -> Path:
    """Keep a mapping of columns by a name, instead of an earlier one; returns where.

    Raises:
        UsageError: It cannot be written, or the name is none.
    """
    path = _mapping_path(name)
    # A JSON string is a basic string of TOML, if DEL, which no heading holds, is left aside.
    lines = [f"{field} = {msgspec.json.encode(heading).decode()}\n" for field, heading in mapping.items()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written: {said(error)}", hint="check the permissions of its folder"
        ) from error
    return path


def _mapping_path(name: str) -> Path:
    if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
        raise UsageError(f"{name[:40]!r} is no name for a mapping", hint="letters, digits, - and _")
    return _config_folder() / "mappings" / f"{name}.toml"


def _user_config() -> Path:
    return _config_folder() / "quotewell.toml"


def _config_folder() -> Path:
    folder = _linux_folder("XDG_CONFIG_HOME", ".config")
    if folder is not None:
        return folder
    from platformdirs import user_config_path  # noqa: PLC0415  slow to import

    return user_config_path("quotewell", appauthor=False)


def _linux_folder(variable: str, beneath_home: str) -> Path | None:
    """What platformdirs says in the plain cases of Linux, without its import; None in others."""
    if sys.platform != "linux" or "ANDROID_ROOT" in os.environ:
        return None
    named, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
    if named.startswith("/"):
        return Path(named) / "quotewell"
    return Path(home) / beneath_home / "quotewell" if home.startswith("/") else None
