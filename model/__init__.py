"""From scans to probabilities: volumes, networks, training, calibration, evidence, bundles."""
