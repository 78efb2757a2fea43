"""From scans to a worklist: what arrived, what the network said, and in which order to read."""
