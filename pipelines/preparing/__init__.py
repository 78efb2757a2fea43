"""What `chestct prepare` is made of: choosing series, naming them, preparing one, estimating."""
