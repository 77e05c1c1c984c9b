"""What is there before a book is: where to drop a file, and the sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui.element import Element

from quotewell.portfolio.importers import IMPORTERS
from quotewell.views.web.elements import DropZone, box, button, text
from quotewell.views.web.sample import KEY

__all__ = ["Empty"]

_PLAIN = "plain"
_PROMISES = (
    ("What it is worth", "Every row of the file is valued, or named with the reason why it is not."),
    ("What moves it", "Options count as the shares they move like, and everything by its beta."),
    ("How far to trust it", "Each number has its source and its age; none is invented."),
)


class Empty:
    """The empty state.

    Args:
        on_open: Told the key of the book to show.
    """

    def __init__(self, on_open: Callable[[str], Any]) -> None:
        self._box: Element = box("section", "empty")
        named = dict.fromkeys(importer.broker.removesuffix(" statement") for importer in IMPORTERS)
        brokers = ", ".join(broker for broker in named if broker != _PLAIN)
        with self._box:
            text("See what your portfolio is really exposed to", "h1")
            self._message = text("", "p", "notice")
            self._message.props["role"] = "status"
            with DropZone("Choose files", on_open):
                text("Drop your broker's export of positions here", "p", "lead")
                text(f"{brokers}, or any table with symbol and quantity", "p", "hint")
            with box("p", "or"):
                text("No file at hand? ")
                button("Try the sample", lambda: on_open(KEY), "link")
            with box("ul", "promises"):
                for title, sentence in _PROMISES:
                    with box("li"):
                        text(title, "strong")
                        text(sentence)
            text(
                "The file stays on the machine that serves this page, in memory; providers are asked for "
                "symbols alone.",
                "p",
                "hint",
            )

    def show(self, message: str = "") -> None:
        """Show it, and why there is no book."""
        self._box.visible = True
        self._message.set_text(message)
        self._message.visible = bool(message)

    def hide(self) -> None:
        """Make room for a book."""
        self._box.visible = False
