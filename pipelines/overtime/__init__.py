"""One patient's scans over time: what the network scored, and what the texts say changed."""
