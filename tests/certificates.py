"""Certificates made with openssl, for tests of servers that ask for them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from valkey_servers import skip_or_fail

_KEY = ("-newkey", "rsa:2048", "-nodes", "-days", "2")


class Certificates(NamedTuple):
    """Files in PEM."""

    authority: Path
    """What clients trust."""
    certificate: Path
    """Of the server, for 127.0.0.1."""
    key: Path


def make_certificates(folder: Path, *, address: str = "127.0.0.1") -> Certificates:
    """An authority, and a server's certificate that it has signed for `address`."""
    if shutil.which("openssl") is None:
        skip_or_fail("openssl is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    _openssl(folder, "req", "-x509", *_KEY, "-subj", "/CN=quotewell", "-keyout", "ca.key", "-out", "ca.pem")
    _openssl(folder, "req", *_KEY, "-subj", "/CN=cache", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names.txt").write_text(f"subjectAltName=IP:{address}\n", encoding="utf-8")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names.txt")
    _openssl(folder, "x509", "-req", "-in", "server.csr", "-out", "server.pem", *signing)
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
