"""The HTML report as a whole: one file, in which nothing is loaded from anywhere."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import PurePath

from quotewell._version import __version__
from quotewell.portfolio.summary import Summary
from quotewell.views.charts import Chart, Sparkline, exposure_bars, exposure_stack, javascript_in, pnl_curve
from quotewell.views.content.key_figures import KeyFigure, key_figures
from quotewell.views.content.overview import Overview
from quotewell.views.render.header import moment
from quotewell.views.report import tables
from quotewell.views.report.echarts import echarts_script
from quotewell.views.report.html import Markup, Table, element, json_script, text
from quotewell.views.theme import DARK, LIGHT, Palette, css_variables
from quotewell.views.words import NOT_AVAILABLE, count

__all__ = ["html_report"]

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing may be asked for, from any host; what runs stands in the file."""


def html_report(shown: Overview) -> str:
    """A whole HTML document.

    Raises:
        UsageError: NiceGUI, which brings ECharts along, is not installed.
    """
    summary = shown.summary
    name = PurePath(summary.file).name
    light, dark = _charts(shown, LIGHT), _charts(shown, DARK)
    options = {key: {"light": light[key].options, "dark": dark[key].options} for key in light}
    functions = dict.fromkeys(javascript_in(list(options.values())))
    body = [
        _head(summary, name),
        element("section", *map(_key_figure, key_figures(shown)), class_="keys", aria_label="Key figures"),
        *_figures(light),
        element("section", tables.values(summary).html(), tables.exposures(summary).html(), class_="pair"),
        *_sections(shown),
        _foot(summary),
        json_script("charts", options),
        Markup(f"<script>const FUNCTIONS = {{{_named(functions)}}};</script>"),
        Markup(f'<script type="module">{echarts_script()}\n{_asset("report.js")}</script>'),
    ]
    style = (
        f":root {{ {css_variables(LIGHT)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {css_variables(DARK)} }} }}\n"
        f"{_asset('report.css')}"
    )
    head = (
        f'<meta charset="utf-8"><title>{text(name)} · quotewell</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{text(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{style}</style>"
    )
    inside = "\n".join(body)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n'
        f"<body><main>\n{inside}\n</main></body></html>\n"
    )


def _charts(shown: Overview, palette: Palette) -> dict[str, Chart]:
    summary = shown.summary
    rows, currency = summary.by_underlying, summary.base_currency
    return {
        "bars-raw": exposure_bars(rows, "raw", currency, palette),
        "bars-beta": exposure_bars(rows, "beta", currency, palette),
        "stack": exposure_stack(summary.exposure, "raw", currency, palette),
        "curve": pnl_curve(shown.curve, currency, palette),
    }


def _head(summary: Summary, name: str) -> Markup:
    accounts = [count(len(summary.accounts), "account")] if len(summary.accounts) > 1 else []
    about = " · ".join([summary.broker, *accounts, count(summary.counts.rows, "row")])
    as_of = "on an unknown day" if summary.as_of is None else f"of {moment(summary.as_of)}"
    valued = NOT_AVAILABLE if summary.valuation_at is None else moment(summary.valuation_at)
    return element(
        "header",
        element("h1", name),
        element("p", f"{about} · positions {as_of} · valued {valued} · {summary.base_currency}"),
    )


def _key_figure(figure: KeyFigure) -> Markup:
    return element(
        "div",
        element("span", figure.name, class_="name"),
        element("span", figure.text, class_=f"figure {figure.tone}".strip()),
        element("span", figure.beside, class_="beside"),
        *([element("span", figure.marker, class_="marker", title=figure.explained)] if figure.marker else []),
        *([_past(figure.past)] if figure.past is not None else []),
        class_="key",
    )


def _past(line: Sparkline) -> Markup:
    x, y = map(str, line.end)
    drawn = [element("path", d=line.path), element("circle", cx=x, cy=y, r="2.5")]
    return element(
        "div",
        element("svg", *drawn, class_="sparkline", viewBox=line.box, role="img", aria_label=line.sentence),
        element("span", line.label),
        class_="past",
        title=line.sentence,
    )


def _figures(charts: dict[str, Chart]) -> list[Markup]:
    """The charts, each with what it says as a sentence and as a table."""
    bars, stack = ("bars-raw", "bars-beta"), ("stack", "curve")
    return [
        element("section", *(_figure(key, charts[key]) for key in keys), class_="pair")
        for keys in (bars, stack)
    ]


def _figure(key: str, chart: Chart) -> Markup:
    table = Table("", chart.headings, chart.rows, label=chart.title)
    drawn = element(
        "div", role="img", aria_label=chart.sentence, data_chart=key, style=f"height: {chart.height}px"
    )
    return element(
        "figure",
        element("figcaption", chart.title),
        drawn,
        element("details", element("summary", "As a table"), table.html()),
    )


def _sections(shown: Overview) -> list[Markup]:
    summary = shown.summary
    soon = tables.expiring(summary)
    found = [
        tables.underlyings(summary),
        tables.what_if(summary),
        *([soon] if soon is not None else []),
        tables.positions(shown),
        *([tables.problems(shown)] if summary.problems else []),
        tables.provenance(shown),
    ]
    return [element("section", table.html()) for table in found]


def _foot(summary: Summary) -> Markup:
    return element(
        "footer",
        f"Betas against {summary.benchmark}. ~ stale or estimated, ! assumed, ✎ your own, n/a missing; a sum "
        f"leaves out what is missing. quotewell {__version__}.",
    )


def _named(functions: dict[str, None]) -> str:
    """The functions of the charts by their source: what a policy without `eval` lets run."""
    return ", ".join(f"{json.dumps(source, ensure_ascii=False)}: {source}" for source in functions)


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
