"""Readers of report archives: every record comes out, as a report or as a named reject."""
