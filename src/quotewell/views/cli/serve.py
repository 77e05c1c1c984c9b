"""`quotewell serve [FILE…]`: the HTTP API, and the page, until interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from quotewell.errors import UsageError, missing_extra
from quotewell.views.cli.exits import FINE
from quotewell.views.cli.options import Namespace, Subparsers, add_mapping, mapping_of
from quotewell.views.cli.parser import add_command

__all__ = ["add", "run"]

_HOST = "127.0.0.1"
_PORT = 8321
_MOST_WORKERS = 64
_SHORTEST_TOKEN = 16


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "serve",
        "the HTTP API and the page, until Ctrl-C",
        "positions.csv",
        "--host 0.0.0.0 --token-file token.txt --workers 4",
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="*",
        help="a book to serve from the beginning; several files make one book",
    )
    parser.add_argument(
        "--host",
        metavar="NAME",
        default=_HOST,
        help="where to listen (default 127.0.0.1: this machine alone)",
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=_port,
        default=_PORT,
        help="port to listen on, 0 for any free one (default 8321)",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="a file with the token that clients have to send; needed beyond this machine",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=_workers,
        default=1,
        help="processes (default 1); with several there is no page",
    )
    parser.add_argument(
        "--page",
        action=argparse.BooleanOptionalAction,
        help="serve the page beside the API (default: with one worker)",
    )
    parser.add_argument(
        "--log",
        choices=("none", "json"),
        default="none",
        help="json: a line for each request on stderr (default none)",
    )
    parser.add_argument("--offline", action="store_true", help="use what is cached; never ask a provider")
    add_mapping(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM, which are the ways to end it, and no failures."""
    if options.page and options.workers > 1:
        raise UsageError("the page needs one worker", hint="--workers without --page serves the API alone")
    token = None if options.token_file is None else _token(options.token_file)
    loopback = _is_loopback(options.host)
    if not loopback and token is None:
        raise UsageError(
            f"--host {options.host}: others can ask there, so they need a token", hint="--token-file FILE"
        )
    try:
        from quotewell.views.api import server  # noqa: PLC0415  needs the extra `web`
    except ModuleNotFoundError as error:
        raise missing_extra("quotewell serve", error.name, "web") from error
    serving = server.Serving(
        settings={"offline": True} if options.offline else {},
        files=tuple(options.file),
        mapping=mapping_of(options),
        token=token,
        is_loopback=loopback,
        workers=options.workers,
        page=options.page is not False,
        json_log=options.log == "json",
    )
    with server.listen(options.host, options.port) as listening:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"quotewell: http://{shown}:{port}/ (Ctrl-C ends it)", file=sys.stderr, flush=True)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            server.run(serving, listening)
        except KeyboardInterrupt:
            return FINE
    return FINE


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it holds more than ASCII"
        raise UsageError(f"--token-file {path}: cannot be read: {reason}") from error
    if len(token) < _SHORTEST_TOKEN or not token.isprintable() or " " in token:
        raise UsageError(
            f"--token-file {path}: a token is one word of {_SHORTEST_TOKEN} characters or more",
            hint="python -c 'import secrets; print(secrets.token_urlsafe())' > FILE",
        )
    return token


def _is_loopback(host: str) -> bool:
    import ipaddress  # noqa: PLC0415  only here

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _port(text: str) -> int:
    return _number(text, 0, 65_535)


def _workers(text: str) -> int:
    return _number(text, 1, _MOST_WORKERS)


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from {least} to {most}")
    return int(text)
