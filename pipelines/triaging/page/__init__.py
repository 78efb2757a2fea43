"""The template, style and script of the worklist's page."""
