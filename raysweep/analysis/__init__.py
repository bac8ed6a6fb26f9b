"""Numbers: averages, intervals, facets, findings, export; data in, data out."""
