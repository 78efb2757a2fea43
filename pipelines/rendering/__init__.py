"""From a prediction to what a reader sees: one content model, and the forms that show it."""
