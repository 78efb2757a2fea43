"""What `chestct cohort` is made of: names of scans, links, patients, splits."""
