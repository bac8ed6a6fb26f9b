"""The results: Parquet files as the ledger, what they say, and how people read it."""
