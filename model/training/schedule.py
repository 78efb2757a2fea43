"""The learning rate over a run: a warm-up, then a cosine to zero."""

import math

from configs.training import TrainConfig


def rate_at(config: TrainConfig, step: int, steps: int, minutes: float) -> float:
    """The learning rate of a step of `steps`; by the clock where the time limit comes first."""
    done = step / steps
    if config.max_minutes is not None:
        done = max(done, minutes / config.max_minutes)
    if done < config.warmup:
        return config.learning_rate * max(done, 1 / steps) / config.warmup
    falling = (done - config.warmup) / max(1e-9, 1 - config.warmup)
    return config.learning_rate * (0.5 * (1 + math.cos(math.pi * min(1.0, falling))))
