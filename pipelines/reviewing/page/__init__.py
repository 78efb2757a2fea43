"""The page on which people judge: one file that works offline and by keyboard."""
