"""What both sides read: findings, cues, conventions, profiles, their loaders, and the contracts."""
