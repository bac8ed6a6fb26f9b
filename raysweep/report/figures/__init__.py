"""Figures of a sweep, defined once as Altair charts: for pages, notebooks and papers.

This package alone imports Altair, and is itself imported only when a figure is drawn. Each function takes
an analysis, and tables that `raysweep.analysis` makes of it; no file is read here.

`Look` fixes a figure's size and letters, `config` gives the colours of a theme: a chart of `theme=None`
carries no configuration, so that a page can give one for light and one for dark.
"""

from raysweep.report.figures.curves import curves
from raysweep.report.figures.heatmap import heatmap
from raysweep.report.figures.look import PRINT, SCREEN, Chart, Look, Theme, config
from raysweep.report.figures.positions import positions
from raysweep.report.figures.slips import slips

__all__ = ["PRINT", "SCREEN", "Chart", "Look", "Theme", "config", "curves", "heatmap", "positions", "slips"]
