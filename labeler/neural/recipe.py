"""What teaching is given: how long each step lasts, and reports that people have judged."""

from dataclasses import dataclass

from labeler.neural.reading import Floats


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long each step of teaching lasts."""

    rules_epochs: int = 5
    gold_epochs: int = 6
    """At most: how many are best is seen on the reports held out in turn."""
    folds: int = 5
    tokens_a_step: int = 1_024
    """Of sentences, padding included; a step on gold takes whole reports."""
    silent_weight: float = 1.0
    """What a sentence in which the rules read nothing weighs, beside one where they do."""
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Gold:
    """Judged reports: 1, 0, or NaN where nobody has judged (reports, labels)."""

    texts: tuple[str, ...]
    present_rl: Floats
    sentences: int = 0
    """So many at the end are judged sentences, which calibrate only where no report is judged."""
