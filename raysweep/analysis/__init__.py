"""Analysis of results: averages, intervals, facets, findings, export; data in, data out."""
