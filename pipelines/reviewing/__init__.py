"""What `chestct review` is made of: what to ask people, the sheets, and what their answers say."""
