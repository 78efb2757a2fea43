"""The noisy-or, the batches and the weak targets, against plain definitions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labeler import load_labeler
from labeler.neural.network import hazard_loss, logit_of, pooled
from labeler.neural.reading import read_reports, weak_targets
from labeler.neural.tokens import Tokens, batches_by_length, learn_tokenizer

EFFUSION = load_labeler().label_names.index("Pleural effusion")
REPORTS = (
    "TECHNIQUE: CT. FINDINGS: There is a left pleural effusion. The heart is normal.",
    "FINDINGS: No pleural effusion. There is no nodule.",
    "FINDINGS: There is a left pleural effusion. There is no nodule.",
)


def test_hazards_of_parts_are_the_noisy_or_of_the_whole() -> None:
    probability = torch.tensor([[0.5], [0.2], [0.9]])
    hazard = pooled(-torch.log1p(-probability), torch.tensor([0, 0, 1]), 2)
    expected = torch.tensor([[1 - 0.5 * 0.8], [0.9]])
    torch.testing.assert_close(1 - torch.exp(-hazard), expected)
    torch.testing.assert_close(torch.sigmoid(logit_of(hazard)), expected)


def test_the_loss_is_cross_entropy_and_stays_finite() -> None:
    hazard = torch.tensor([0.0, 0.1, 2.0, 80.0], requires_grad=True)
    for target in (0.0, 0.3, 1.0):
        loss = hazard_loss(hazard, torch.tensor(target))
        probability = 1 - torch.exp(-hazard[1:3])
        plain = torch.nn.functional.binary_cross_entropy(
            probability, torch.full((2,), target), reduction="none"
        )
        torch.testing.assert_close(loss[1:3], plain)
        (gradient,) = torch.autograd.grad(loss.sum(), hazard)
        assert torch.isfinite(loss).all()
        assert torch.isfinite(gradient).all()


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200), st.booleans())
def test_batches_hold_every_row_once_and_not_too_much(
    lengths: list[int], tokens: int, shuffled: bool
) -> None:
    rng = np.random.default_rng(0) if shuffled else None
    batches = list(batches_by_length(lengths, tokens, rng))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= 1 or len(batch) * max(lengths[row] for row in batch) <= tokens


def test_padding_says_nothing_and_length_is_bounded() -> None:
    sentences = ["There is a small nodule.", "Nodule."] * 3
    tokens = Tokens(learn_tokenizer(sentences, 60), pad=0, longest=5)
    ids = tokens.ids([*sentences, "a nodule " * 50])
    assert max(map(len, ids)) == 5
    batch = tokens.padded(ids[:2])
    assert (batch[1] == 0).sum() == len(ids[0]) - len(ids[1])


def test_reading_counts_each_sentence_once_and_leaves_technique_out() -> None:
    reading = read_reports(load_labeler(), REPORTS)
    assert len(reading.sentences) == 4
    assert not any("CT" in sentence for sentence in reading.sentences)
    assert [len(bag) for bag in reading.bags()] == [2, 2, 2]
    for report, (start, end) in zip(reading.report_o, reading.span_o2, strict=True):
        assert REPORTS[report][start:end] in reading.sentences
    assert reading.value_rl[:, EFFUSION].tolist() == [1, 0, 1]


def test_a_report_without_evidence_has_an_empty_bag() -> None:
    reading = read_reports(load_labeler(), ("INDICATION: Cough.", REPORTS[0], "  "))
    assert [len(bag) for bag in reading.bags()] == [0, 2, 0]


def test_gold_silences_the_sentences_that_contradict_it() -> None:
    reading = read_reports(load_labeler(), REPORTS)
    weak = weak_targets(reading, silent_weight=0.5)
    affirming = reading.sentences.index("There is a left pleural effusion.")
    denying = reading.sentences.index("No pleural effusion.")
    silent = reading.sentences.index("There is no nodule.")
    assert weak.target_ul[[affirming, denying, silent], EFFUSION].tolist() == [1, 0, 0]
    assert weak.weight_ul[[affirming, denying, silent], EFFUSION].tolist() == [1, 1, 0.5]

    gold = np.full(reading.value_rl.shape, np.nan, np.float32)
    gold[:, EFFUSION] = (0, 1, 1)
    corrected = weak_targets(reading, silent_weight=0.5, gold_rl=gold)
    # Affirmed in a report that gold denies and in one that it confirms: half the weight is left.
    assert corrected.weight_ul[affirming, EFFUSION] == pytest.approx(0.5)
    assert corrected.target_ul[affirming, EFFUSION] == 1
    # Silent in a report of which the rules missed the finding, and in one where they did not.
    assert corrected.weight_ul[silent, EFFUSION] == pytest.approx(0.25)
    assert corrected.weight_ul[denying, EFFUSION] == 1
    other = [label for label in range(gold.shape[1]) if label != EFFUSION]
    np.testing.assert_array_equal(corrected.weight_ul[:, other], weak.weight_ul[:, other])
