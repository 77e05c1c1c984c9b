"""A connection to a Valkey or Redis server, as level, coordinator and push all need it.

Calls are tried once more when their connection was cut: all that is sent may be sent twice without harm. What
does not answer in time is not asked again, for the caller has waited long enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from quotewell.cache.valkey.scripts import ADOPT
from quotewell.errors import CacheError, UsageError, missing_extra

__all__ = ["ValkeyServer"]

T = TypeVar("T")

_SCHEMES = {"redis": "valkey", "rediss": "valkeys"}


class ValkeyServer:
    """A pool of connections, each of which has made sure that the server is the one that was there before.

    A server that was restarted may have come back with older data. Whoever connects first after that says so
    in the data itself, so that nobody's revision from before is believed any more.

    Args:
        url: `valkey://user:password@host:port/database`, or `redis://`; with an `s` at the scheme's end over
            TLS, for which a query may name files: `?ssl_ca_certs=…&ssl_certfile=…&ssl_keyfile=…`.
        prefix: With what all keys begin.
        timeout: Seconds to wait for a connection, and for an answer.

    Raises:
        UsageError: The client is not installed, or the URL or prefix cannot be right.
        CacheError: The server cannot be reached.
    """

    def __init__(self, url: str, *, prefix: str, timeout: float) -> None:
        try:
            import valkey  # noqa: PLC0415  an extra
        except ImportError as error:
            raise missing_extra("a cache in Valkey or Redis", "valkey", "valkey") from error
        if not prefix or not all(letter.isalnum() or letter in "-_:." for letter in prefix):
            raise UsageError(
                f"cache_prefix: {prefix!r} cannot begin keys", hint="take letters, digits and - _ : ."
            )
        parts = urlsplit(url)
        self.prefix = prefix
        self.place = f"{parts.hostname}:{parts.port or 6379}{parts.path}"
        """Where it is, without user and password."""
        self._closed = False
        self._broken = (valkey.ConnectionError,)
        self._errors = (valkey.ValkeyError, OSError)
        scheme = _SCHEMES.get(parts.scheme, parts.scheme)
        try:
            pool = valkey.ConnectionPool.from_url(  # type: ignore[no-untyped-call]
                parts._replace(scheme=scheme).geturl(),
                **({"ssl_check_hostname": True} if scheme == "valkeys" else {}),
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                socket_keepalive=True,
                lib_name=None,
                lib_version=None,
                valkey_connect_func=self._greet,
            )
        except ValueError as error:
            # The error repeats what may be part of a password.
            raise UsageError(
                "cache_url: it is no URL of a server", hint="like valkey://user@host:6379/0"
            ) from error
        self.client: Any = valkey.Valkey(connection_pool=pool)
        self._scripts: dict[str, Callable[..., Any]] = {}
        try:
            self.call(lambda client: client.ping())
        except TypeError as error:
            raise UsageError(
                "cache_url: it has an unknown option behind the ?", hint="like ?ssl_ca_certs=…"
            ) from error

    def call(self, use: Callable[[Any], T]) -> T:
        """What `use` returns of the client.

        Raises:
            CacheError: The server did not answer, or refused.
        """
        if self._closed:
            raise CacheError(f"valkey at {self.place}: the cache is closed", hint="open a new service")
        try:
            try:
                return use(self.client)
            except self._broken:
                return use(self.client)
        except self._errors as error:
            raise self.error(error) from error

    def together(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers to several commands that are sent at once.

        Raises:
            CacheError: The server did not answer, or refused.
        """

        def send(client: Any) -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
            return answers

        return self.call(send)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script of `scripts.py` returns; its first argument is the prefix.

        Raises:
            CacheError: The server did not answer, or refused.
        """
        known = self._scripts.get(script)
        if known is None:
            known = self._scripts[script] = self.client.register_script(script)
        return self.call(lambda _: known(args=(self.prefix, *arguments)))

    def connect(self) -> Any:
        """A connection of one's own, outside of the pool.

        Raises:
            CacheError: The server cannot be reached.
        """
        connection = self.client.connection_pool.make_connection()
        try:
            connection.connect()
        except self._errors as error:
            raise self.error(error) from error
        return connection

    def error(self, error: Exception) -> CacheError:
        """An error of the client's, or of the network's, as ours."""
        return CacheError(
            f"valkey at {self.place}: {str(error).rstrip('.') or type(error).__name__}",
            hint="is it running, and are QUOTEWELL_CACHE_URL and _PASSWORD right?",
        )

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What the client raises."""
        return self._errors

    def close(self) -> None:
        """Close all connections of the pool; may be called twice."""
        self._closed = True
        self.client.connection_pool.disconnect()

    def _greet(self, connection: Any) -> None:
        """Log in, and see whether the server is still the one that was there before."""
        connection.on_connect()
        run = _run_id(_answer(connection, ("INFO", "server")))
        if run is not None:
            _answer(connection, ("EVAL", ADOPT, 0, self.prefix, run))


def _answer(connection: Any, command: Sequence[Any]) -> Any:
    connection.send_command(*command)
    return connection.read_response()


def _run_id(info: bytes) -> bytes | None:
    """What tells one start of a server from all others."""
    for line in info.splitlines():
        name, _, value = line.partition(b":")
        if name == b"run_id":
            return value
    return None
