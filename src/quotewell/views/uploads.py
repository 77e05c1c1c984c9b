"""Books that clients have handed over: in memory only, few, each under a key that nobody can guess."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from pathlib import PurePath

import msgspec

from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.importers.merging import merged
from quotewell.portfolio.portfolio import Portfolio
from quotewell.service import TickerService
from quotewell.views.books import book_of
from quotewell.views.words import printable

__all__ = ["MOST_BOOKS", "MOST_BYTES", "MOST_FILES", "Upload", "Uploads"]

MOST_BOOKS = 32
MOST_BYTES = 64 * 2**20
MOST_FILES = 20
"""Of one book."""

_KEY_BYTES = 16
_LONGEST_NAME = 200


class Upload(msgspec.Struct, frozen=True):
    """One book."""

    key: str
    """128 random bits; whoever knows it may read the book."""
    name: str
    """The names of its files."""
    book: Portfolio
    read_at: float
    """Epoch seconds."""
    size: int
    """Bytes of its files, which take a few times as much when read; 0 for the server's own."""


class Uploads:
    """The books, the one handed over last at the end; when there are too many, the oldest goes. Thread-safe.

    Args:
        tickers: What the books ask; must stay open for as long as they are read.
        most_books: More are not kept.
        most_bytes: Nor more bytes of files than these.
    """

    def __init__(
        self, tickers: TickerService, *, most_books: int = MOST_BOOKS, most_bytes: int = MOST_BYTES
    ) -> None:
        self._tickers = tickers
        self._most_books = most_books
        self._most_bytes = most_bytes
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def add(self, files: Sequence[tuple[str, bytes]]) -> Upload:
        """Read files as one book, and keep it.

        Args:
            files: Name and content of each; a name is looked at for a date and shown, never opened.

        Raises:
            ImportFailed: There is none, or too many or too much of them, one cannot be read, or an account
                would be counted twice.
            UsageError: The overrides that the settings name cannot be read.
        """
        size = sum(len(content) for _, content in files)
        names = ", ".join(_shown(name) for name, _ in files[:MOST_FILES])
        if not files or len(files) > MOST_FILES:
            raise ImportFailed(
                names or "upload", f"{len(files)} files", hint=f"a book is of 1 to {MOST_FILES}"
            )
        if size > self._most_bytes:
            raise ImportFailed(
                names, f"larger than {self._most_bytes // 2**20} MB together", hint="leave some out"
            )
        file = merged([read_positions(content, _shown(name)) for name, content in files])
        upload = self._upload(file, secrets.token_urlsafe(_KEY_BYTES), size)
        with self._lock:
            self._uploads[upload.key] = upload
            handed_over = [one for one in self._uploads.values() if one.size]
            while len(handed_over) > self._most_books or _bytes(handed_over) > self._most_bytes:
                del self._uploads[handed_over.pop(0).key]
        return upload

    def keep(self, file: ImportedFile, key: str | None = None) -> Upload:
        """Keep a book of the server's own files for good: no upload makes it go.

        Args:
            file: What an importer has read.
            key: Where several processes keep the same book.

        Raises:
            ImportFailed: The file has no rows.
            UsageError: The overrides that the settings name cannot be read.
        """
        upload = self._upload(file, key or secrets.token_urlsafe(_KEY_BYTES), 0)
        with self._lock:
            self._uploads[upload.key] = upload
        return upload

    def get(self, key: str) -> Upload:
        """The book under a key.

        Raises:
            KeyError: There is none, or none any more.
        """
        return self._uploads[key]

    def all(self) -> list[Upload]:
        """All books, the oldest first."""
        with self._lock:
            return list(self._uploads.values())

    def remove(self, key: str) -> None:
        """Forget a book.

        Raises:
            KeyError: There is none under that key.
        """
        with self._lock:
            del self._uploads[key]

    def _upload(self, file: ImportedFile, key: str, size: int) -> Upload:
        book = book_of(file, self._tickers)
        return Upload(key, file.path, book, self._tickers.now(), size)


def _bytes(uploads: Sequence[Upload]) -> int:
    return sum(upload.size for upload in uploads)


def _shown(name: str) -> str:
    """A file's name on one line, without folders."""
    return printable(PurePath(name.replace("\\", "/")).name)[:_LONGEST_NAME] or "upload"
