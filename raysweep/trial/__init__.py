"""One trial: its settings and identity, its result, its cost."""
