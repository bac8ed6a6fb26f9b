"""Grid files: read into a complete list of trials, with every error of the file reported."""

from raysweep.grid.grid import Grid, grid_from_content, read_grid

__all__ = ["Grid", "grid_from_content", "read_grid"]
