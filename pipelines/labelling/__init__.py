"""What `chestct label` is made of: shards of an archive, labelling one, its parts on disk."""
