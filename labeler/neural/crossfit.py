"""Learning from gold on frozen states, each report held out once.

The encoder stays as the rules taught it, so that every token is encoded once; the head learns
from gold. Heads that have not seen a report judge it: their hazards tell how many epochs are best,
and calibrate. Then one head learns from all reports for that many epochs.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from configs.contracts import InputError
from labeler.neural.learning import FromGold, hazards_of, run
from labeler.neural.network import hazard_loss
from labeler.neural.reading import Floats, Reading, weak_targets
from labeler.neural.recipe import Gold, Recipe
from labeler.neural.stage import NeuralStage

_REPORTS_A_STEP = 4
_LEARNING_RATE = 3e-3
_RULES_SHARE = 1.0
_REPORTS_AT_ONCE = 64


Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class GoldReports:
    """Reports with gold as the head sees them: token states, and what each level should say."""

    bags: list[NDArray[np.int32]]
    state_nd: Tensor
    """In half precision: some hundred bytes a token."""
    cut_u: NDArray[np.int64]
    """Where each sentence's tokens begin in `state_nd`; one more at the end."""
    gold_rl: Tensor
    known_rl: Tensor
    target_ul: Tensor
    weight_ul: Tensor

    @classmethod
    def of(
        cls, stage: NeuralStage, reading: Reading, gold: Gold, silent_weight: float
    ) -> "GoldReports":
        """Encode every sentence once."""
        states = stage.states(reading.sentences)
        weak = weak_targets(reading, silent_weight=silent_weight, gold_rl=gold.present_rl)
        return cls(
            reading.bags(),
            torch.cat(states).half(),
            np.cumsum([0, *map(len, states)]),
            torch.from_numpy(np.nan_to_num(gold.present_rl)),
            torch.from_numpy(~np.isnan(gold.present_rl)).float(),
            torch.from_numpy(weak.target_ul),
            torch.from_numpy(weak.weight_ul),
        )

    def batch(self, reports: Rows) -> dict[str, Tensor]:
        """Some reports as `FromGold` takes them; each of their sentences once."""
        bags = [self.bags[report] for report in reports]
        sentences, sentence_m = np.unique(np.concatenate(bags), return_inverse=True)
        lengths = np.diff(self.cut_u)[sentences]
        tokens = [np.arange(self.cut_u[u], self.cut_u[u + 1]) for u in sentences]
        token_n = np.concatenate([np.zeros(0, np.int64), *tokens])
        return {
            "state_nd": self.state_nd[torch.from_numpy(token_n)].float(),
            "sentence_n": torch.from_numpy(np.repeat(np.arange(len(sentences)), lengths)),
            "sentence_m": torch.from_numpy(sentence_m),
            "report_m": torch.from_numpy(np.repeat(np.arange(len(bags)), [len(b) for b in bags])),
            "gold_rl": self.gold_rl[reports],
            "known_rl": self.known_rl[reports],
            "target_ul": self.target_ul[sentences],
            "weight_ul": self.weight_ul[sentences],
        }

    def hazards(self, head: nn.Module, reports: Rows) -> Tensor:
        """What a head says of some reports (reports, labels)."""
        device = next(head.parameters()).device
        found = []
        head.eval()
        for start in range(0, len(reports), _REPORTS_AT_ONCE):
            some = reports[start : start + _REPORTS_AT_ONCE]
            batch = {name: part.to(device) for name, part in self.batch(some).items()}
            with torch.inference_mode():
                found.append(hazards_of(head, batch)[1].cpu())
        head.train()
        return torch.cat(found)


@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """What came of it."""

    head: nn.Sequential
    epochs: int
    held_out_rl: Floats
    """Hazards of each report from a head that has not seen its gold."""


def cross_fit(stage: NeuralStage, reading: Reading, gold: Gold, recipe: Recipe) -> CrossFit:
    """Learn from gold, starting from the stage's head."""
    if not reading.sentences:
        raise InputError("the reports with gold have no sentences to learn from")
    reports = GoldReports.of(stage, reading, gold, recipe.silent_weight)
    fold_r = _folds(gold.texts, recipe.folds)
    held_out_erl = torch.zeros(recipe.gold_epochs + 1, *gold.present_rl.shape)
    for fold in range(recipe.folds):
        inside, outside = np.flatnonzero(fold_r != fold), np.flatnonzero(fold_r == fold)
        if not len(inside) or not len(outside):
            raise InputError(f"{len(fold_r)} reports with gold are too few; give some dozens")
        head = deepcopy(stage.network.head)
        held_out_erl[0, outside] = reports.hazards(head, outside)

        def look(epoch: int, head: nn.Module = head, rows: Rows = outside) -> None:
            held_out_erl[epoch + 1, rows] = reports.hazards(head, rows)

        _learn(head, reports, inside, recipe, recipe.gold_epochs, look)
    loss_e = (hazard_loss(held_out_erl, reports.gold_rl) * reports.known_rl).sum(dim=(1, 2))
    epochs = int(loss_e.argmin())
    head = deepcopy(stage.network.head)
    if epochs:
        _learn(head, reports, np.arange(len(fold_r)), recipe, epochs)
    return CrossFit(head, epochs, held_out_erl[epochs].numpy())


def _learn(
    head: nn.Module,
    reports: GoldReports,
    rows: Rows,
    recipe: Recipe,
    epochs: int,
    look: Callable[[int], None] | None = None,
) -> None:
    """Some epochs of the schedule that all of them share."""
    rng = np.random.default_rng(recipe.seed)
    steps = recipe.gold_epochs * math.ceil(len(rows) / _REPORTS_A_STEP)

    def batches(_: int) -> Iterator[dict[str, Tensor]]:
        order = rng.permutation(rows)
        for start in range(0, len(order), _REPORTS_A_STEP):
            yield reports.batch(order[start : start + _REPORTS_A_STEP])

    run(FromGold(head, _RULES_SHARE, _LEARNING_RATE, steps), batches, epochs, look)


def _folds(texts: Sequence[str], folds: int) -> Rows:
    """A report's fold follows from its text, so that copies of a report stay together."""
    digests = [blake2b(text.encode("utf-8", "replace"), digest_size=6).digest() for text in texts]
    return np.array([int.from_bytes(digest, "big") % folds for digest in digests])
