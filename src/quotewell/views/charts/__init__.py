"""Charts as data: what ECharts draws of a report's structs, and a sentence and a table that say the same.

Pure; nothing here draws. The page and the HTML report show the same charts.
"""

from quotewell.views.charts.chart import Chart, javascript_in
from quotewell.views.charts.exposure_bars import Measure, exposure_bars
from quotewell.views.charts.exposure_stack import exposure_stack
from quotewell.views.charts.pnl_curve import CURVE_MOVES, at_move, pnl_curve
from quotewell.views.charts.sparkline import Sparkline, sparkline

__all__ = [
    "CURVE_MOVES",
    "Chart",
    "Measure",
    "Sparkline",
    "at_move",
    "exposure_bars",
    "exposure_stack",
    "javascript_in",
    "pnl_curve",
    "sparkline",
]
