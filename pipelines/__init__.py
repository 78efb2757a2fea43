"""The verbs: one typed function a file, thin: read, call the rooms below, write."""
