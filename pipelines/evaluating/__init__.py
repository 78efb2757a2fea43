"""What `chestct evaluate` is made of: references, measures, comparisons, pictures, the page."""
