"""The colours of what a browser shows, light and dark; charts and style sheets take them from here.

Long and short are blue and orange, which the common kinds of colour blindness tell apart; every amount
carries its sign as well. Text has a contrast of at least 4.5 : 1 on its background.
"""

from __future__ import annotations

import msgspec

__all__ = ["DARK", "LIGHT", "Palette", "css_variables"]


class Palette(msgspec.Struct, frozen=True, kw_only=True):
    """Colours as CSS writes them.

    Args:
        scheme: What `color-scheme` calls it.
        background: Of the page.
        surface: Of a panel on it.
        raised: Of what lies in or over a panel: menus, hovered rows.
        border: Lines between panels and rows.
        text: What is read.
        muted: What is read second.
        accent: What can be used, and the model's line.
        on_accent: Text upon the accent.
        long: Positive exposures and gains.
        long_soft: The second part of a stack of them.
        short: Negative exposures and losses.
        short_soft: The second part of a stack of them.
        net: What both leave.
        warning: Missing, stale and assumed.
        warning_soft: Behind it.
    """

    scheme: str
    background: str
    surface: str
    raised: str
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    long: str
    long_soft: str
    short: str
    short_soft: str
    net: str
    warning: str
    warning_soft: str


LIGHT = Palette(
    scheme="light",
    background="#f4f5f7",
    surface="#ffffff",
    raised="#f0f2f5",
    border="#dfe3e8",
    text="#161b22",
    muted="#59636e",
    accent="#1f5fa8",
    on_accent="#ffffff",
    long="#1f6db5",
    long_soft="#8fbce4",
    short="#b9480e",
    short_soft="#efa981",
    net="#39424e",
    warning="#805300",
    warning_soft="#fff4d6",
)
DARK = Palette(
    scheme="dark",
    background="#0e1217",
    surface="#161b22",
    raised="#1f262f",
    border="#2c343f",
    text="#e7ebf0",
    muted="#9ba6b2",
    accent="#72b2f0",
    on_accent="#0b1219",
    long="#66aeec",
    long_soft="#2f5f8c",
    short="#f2945c",
    short_soft="#8d4d24",
    net="#c3cbd5",
    warning="#ecbb55",
    warning_soft="#35290d",
)


def css_variables(palette: Palette) -> str:
    """Declarations of one custom property a colour: `--long: #1f6db5; …`."""
    colours = ((name, getattr(palette, name)) for name in Palette.__struct_fields__ if name != "scheme")
    named = "; ".join(f"--{name.replace('_', '-')}: {colour}" for name, colour in colours)
    return f"color-scheme: {palette.scheme}; {named}"
