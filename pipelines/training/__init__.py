"""What `chestct train` is made of: what is taught, shown and recorded, and the bundle."""
