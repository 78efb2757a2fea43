"""The template and style of the timeline's page."""
