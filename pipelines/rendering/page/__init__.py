"""The HTML form of a scan report: one file that works offline, in print and by keyboard."""
