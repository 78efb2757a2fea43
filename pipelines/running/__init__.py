"""How a verb runs: its record (run.json, rejected.parquet), its progress, and its messages."""
