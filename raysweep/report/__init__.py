"""Views for people: reports, the live display, the heat map."""
