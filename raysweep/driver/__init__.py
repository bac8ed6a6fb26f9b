"""The Ray process of a run, and the keeper that ends it; the only package that imports Ray."""
