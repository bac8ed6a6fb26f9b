"""Grid files: read into a complete list of trials, with every error of the file reported."""

from raysweep.grid.grid import Grid, Resources, grid_from_content, read_grid

__all__ = ["Grid", "Resources", "grid_from_content", "read_grid"]
