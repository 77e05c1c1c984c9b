"""How far the prefetch is: a bar with a sentence."""

from __future__ import annotations

from quotewell.outcomes import Progress
from quotewell.views.web.elements import box, text
from quotewell.views.words import age, count, number

__all__ = ["ProgressBar", "sentence"]


def sentence(progress: Progress) -> str:
    """What a reader has to know while waiting: `1,520 of 2,000 tickers · 58 requests · about 11 s left`."""
    parts = [
        f"{number(progress.done)} of {count(progress.symbols, 'ticker')}",
        count(progress.requests, "request"),
    ]
    if progress.seconds_left is not None and progress.seconds_left >= 1.0:
        parts.append(f"about {age(progress.seconds_left)} left")
    return " · ".join(parts)


class ProgressBar:
    """Told from a worker's thread, shown by the page's timer."""

    def __init__(self) -> None:
        self._told: Progress | None = None
        self._box = box("div", "progress")
        with self._box:
            self._bar = box(
                "div", "track", role="progressbar", aria_label="Prefetch", aria_valuemin="0",
                aria_valuemax="100",
            )  # fmt: skip
            with self._bar:
                self._fill = box("div", "fill")
            self._said = text("", "span")
        self._box.visible = False

    def tell(self, progress: Progress) -> None:
        """Remember how far it is; from any thread."""
        self._told = progress

    def begin(self) -> None:
        """Show an empty bar."""
        self._told = None
        self._box.visible = True
        self._set(0.0, "Asking for what is missing…")

    def show(self) -> None:
        """Show what was told last."""
        told = self._told
        if self._box.visible and told is not None:
            self._set(told.values_done / told.values if told.values else 1.0, sentence(told))

    def end(self) -> None:
        """Take it away."""
        self._box.visible = False

    def _set(self, share: float, said: str) -> None:
        self._fill.style(replace=f"width: {share:.1%}")
        self._bar.props["aria-valuenow"] = f"{share * 100:.0f}"
        self._bar.props["aria-valuetext"] = said
        self._said.set_text(said)
