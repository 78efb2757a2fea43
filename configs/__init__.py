"""The data both sides read (findings, cues, conventions, profiles), its loaders, and the contracts."""
