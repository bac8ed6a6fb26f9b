"""The ledger: the only reader and writer of a results folder."""
