"""Text in pieces, each with a style: what screens are made of, without the import of a terminal library.

Styles are words that rich knows, such as `bold red`; `quotewell.views.render.terminal` hands them on.
"""

from __future__ import annotations

from typing import Self, TypeAlias

__all__ = ["Piece", "Text"]

Piece: TypeAlias = tuple[str, str]
"""Some characters and their style."""

_ELLIPSIS = "…"
_NARROW = frozenset(map(chr, (*range(0x20, 0x7F), *range(0xA0, 0xAD), *range(0xAE, 0x300)))) | frozenset(
    "−≥≤…–βσΔ✓✎│█▌▐"
)
"""What nearly all texts are made of: one column each. For other characters rich is asked."""


class Text:
    """Characters with styles; a style ends with the piece that it was given for.

    Args:
        text: The first piece.
        style: Of it.
    """

    __slots__ = ("_pieces",)

    def __init__(self, text: str = "", style: str = "") -> None:
        self._pieces: list[Piece] = [(text, style)] if text else []

    @classmethod
    def assemble(cls, *parts: str | Piece | Text) -> Self:
        """One text of several."""
        whole = cls()
        for part in parts:
            if isinstance(part, Text):
                whole.append_text(part)
            elif isinstance(part, tuple):
                whole.append(*part)
            else:
                whole.append(part)
        return whole

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All of it, in order."""
        return tuple(self._pieces)

    @property
    def plain(self) -> str:
        """The characters alone."""
        return "".join([text for text, _ in self._pieces])

    @property
    def cell_len(self) -> int:
        """How many columns of a terminal it takes."""
        return sum([_width(text) for text, _ in self._pieces])

    def append(self, text: str, style: str = "") -> Self:
        """Add a piece at the end."""
        if text:
            self._pieces.append((text, style))
        return self

    def append_text(self, text: Text) -> Self:
        """Add another text at the end."""
        self._pieces += text.pieces
        return self

    def stylize(self, style: str) -> None:
        """Add a style to all that is there."""
        self._pieces = [(text, f"{own} {style}".strip()) for text, own in self._pieces]

    def copy(self) -> Self:
        """Another one with the same pieces."""
        return type(self).assemble(self)

    def right_crop(self, characters: int) -> None:
        """Take characters away at the end."""
        self._keep(len(self.plain) - characters)

    def rstrip(self) -> None:
        """Take blanks away at the end."""
        while self._pieces:
            text, style = self._pieces.pop()
            stripped = text.rstrip()
            if stripped:
                self._pieces.append((stripped, style))
                return

    def truncate(self, width: int) -> None:
        """Make it at most so many columns wide; an ellipsis stands for what is cut."""
        if self.cell_len <= width:
            return
        plain = self.plain
        kept = min(len(plain), max(width - 1, 0))
        while kept and _width(plain[:kept]) > width - 1:
            kept -= 1
        style = self._style_at(kept)
        self._keep(kept)
        if width > 0:
            self.append(_ELLIPSIS, style)

    def _keep(self, characters: int) -> None:
        kept: list[Piece] = []
        for text, style in self._pieces:
            if characters <= 0:
                break
            kept.append((text[:characters], style))
            characters -= len(text)
        self._pieces = kept

    def _style_at(self, place: int) -> str:
        for text, style in self._pieces:
            if place < len(text):
                return style
            place -= len(text)
        return ""

    def __repr__(self) -> str:
        return f"Text({self._pieces!r})"


def _width(text: str) -> int:
    if _NARROW.issuperset(text):
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  only for scripts that have wide characters

    return cell_len(text)
