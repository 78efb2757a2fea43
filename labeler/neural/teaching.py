"""From an archive, its rules and some gold to a taught stage."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch

from configs.contracts import InputError
from labeler.labeler import Labeler
from labeler.neural.crossfit import cross_fit
from labeler.neural.encoder import Encoder, new_encoder
from labeler.neural.fusion import Combination, Fusion, features, fit_combination
from labeler.neural.learning import FromRules, run
from labeler.neural.network import SentenceNetwork
from labeler.neural.reading import Floats, Reading, Values, read_reports, weak_targets
from labeler.neural.recipe import Gold, Recipe
from labeler.neural.stage import NeuralStage, best_device, report_hazards
from labeler.neural.tokens import Tokens, batches_by_length

_NEW_RATE, _PRETRAINED_RATE = 1e-3, 5e-5
_HELD_OUT = 10
"""Without gold, every tenth report is held out to calibrate on."""


def teach(
    labeler: Labeler,
    convention: str,
    texts: Sequence[str],
    gold: Gold | None = None,
    encoder: Encoder | None = None,
    recipe: Recipe = Recipe(),  # noqa: B008  # frozen
    tell: Callable[[str], None] = lambda _: None,
) -> NeuralStage:
    """Teach a stage on an archive's texts; reports with gold need not be among them.

    `encoder` is a pretrained one, else a small BERT is made from the archive's own words. `tell`
    hears what is being done. Raises InputError for an archive without sentences or gold without
    two values.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    held_out = [] if gold else list(texts[::_HELD_OUT])
    archive = read_reports(labeler, _others(texts, held_out) if held_out else texts)
    if len(archive.sentences) < 2:
        raise InputError("the archive has no sentences to learn from")
    rate = _NEW_RATE if encoder is None else _PRETRAINED_RATE
    encoder = encoder or new_encoder(archive.sentences)
    tokens = Tokens(encoder.tokenizer, encoder.pad, encoder.longest)
    network = SentenceNetwork(encoder.model, len(labeler.label_names), encoder.pad)
    ids = tokens.ids(archive.sentences)
    tell(f"{archive.reports:,} reports, {len(ids):,} different sentences")
    tell("learning from the rules")
    _learn_rules(network, tokens, ids, archive, rate, recipe, rng)
    network.to(best_device())
    judged_reports = len(gold.texts) - gold.sentences if gold else 0
    card: dict[str, float | str] = {
        "reports": archive.reports,
        "sentences": len(ids),
        "gold_reports": judged_reports,
        "gold_sentences": gold.sentences if gold else 0,
        "calibrated_on": "rules" if gold is None else "gold" if judged_reports else "sentences",
    }
    stage = NeuralStage(convention, labeler.label_names, network, tokens, {}, card)
    if gold is None:
        return _calibrated_on_rules(stage, labeler, held_out)
    tell(f"learning from {judged_reports:,} reports and {gold.sentences:,} sentences with gold")
    return _taught_gold(stage, labeler, gold, recipe)


def _others(texts: Sequence[str], held_out: Iterable[str]) -> list[str]:
    """Without the held-out texts, wherever they stand."""
    left_out = set(held_out)
    return [text for text in texts if text not in left_out]


def _learn_rules(
    network: SentenceNetwork,
    tokens: Tokens,
    ids: list[list[int]],
    archive: Reading,
    learning_rate: float,
    recipe: Recipe,
    rng: np.random.Generator,
) -> None:
    lengths = [len(one) for one in ids]
    steps = recipe.rules_epochs * sum(1 for _ in batches_by_length(lengths, recipe.tokens_a_step))
    weak = weak_targets(archive, silent_weight=recipe.silent_weight)
    target_ul, weight_ul = torch.from_numpy(weak.target_ul), torch.from_numpy(weak.weight_ul)
    network.start_at(target_ul.mean(dim=0), float(np.mean(lengths)))

    def batches(_: int) -> Iterable[tuple[torch.Tensor, ...]]:
        for rows in batches_by_length(lengths, recipe.tokens_a_step, rng):
            yield tokens.padded([ids[row] for row in rows]), target_ul[rows], weight_ul[rows]

    run(FromRules(network, learning_rate, steps), batches, recipe.rules_epochs)


def _calibrated_on_rules(
    stage: NeuralStage, labeler: Labeler, held_out: Sequence[str]
) -> NeuralStage:
    """Without gold: probabilities of what the rules would say, on reports that were held out."""
    reading = read_reports(labeler, held_out)
    hazard_rl = report_hazards(reading, stage.hazards(reading.sentences))
    said_rl = reading.coding.present(reading.value_rl).astype(np.float32)
    combination = _combination(Fusion.NEURAL, reading.value_rl, hazard_rl, said_rl)
    return replace(stage, combinations={Fusion.NEURAL: combination})


def _taught_gold(stage: NeuralStage, labeler: Labeler, gold: Gold, recipe: Recipe) -> NeuralStage:
    reading = read_reports(labeler, gold.texts)
    fitted = cross_fit(stage, reading, gold, recipe)
    stage.network.head = fitted.head.to(best_device())
    # Sentences were chosen for being doubtful: how often one is right says little of reports.
    told = slice(0, len(gold.texts) - gold.sentences or None)
    combinations = {
        fusion: _combination(
            fusion, reading.value_rl[told], fitted.held_out_rl[told], gold.present_rl[told]
        )
        for fusion in (Fusion.NEURAL, Fusion.FUSED)
    }
    card = {**stage.card, "gold_epochs": fitted.epochs}
    return replace(stage, combinations=combinations, card=card)


def _combination(
    fusion: Fusion, value_rl: Values, hazard_rl: Floats, present_rl: Floats
) -> Combination:
    known_rl = ~np.isnan(present_rl)
    if len(np.unique(present_rl[known_rl])) < 2:
        raise InputError("what the stage is calibrated on holds one value only; give more reports")
    return fit_combination(features(fusion, value_rl, hazard_rl), present_rl == 1, known_rl)
