"""The taught stage: sentences to probabilities, beside the rules or in their place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.contracts import InputError
from labeler.fact import ReportLabels
from labeler.labeler import Labeler
from labeler.neural.fusion import Combination, Floats, Fusion, decided, features
from labeler.neural.network import SentenceNetwork
from labeler.neural.reading import Reading, Values, read_reports
from labeler.neural.tokens import Tokens, batches_by_length

_TOKENS = 8_192
_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the stage says of reports (rows) and labels (columns)."""

    value_rl: Values
    """As `LabelValue`, or BLANK: the rules' own wherever the stage agrees with them."""
    probability_rl: Floats
    span_rl2: NDArray[np.int32]
    """First character, and the one behind the last, of the sentence that speaks most for it."""

    @property
    def confidence_rl(self) -> Floats:
        """|2 P - 1|: 0 at even odds, 1 where there is no doubt."""
        return np.abs(2 * self.probability_rl - 1)


@dataclass(frozen=True, slots=True, eq=False)
class NeuralStage:
    """A taught network with the combinations that calibrate it.

    Not safe to share between threads. It remembers sentences, so each is encoded once.
    """

    convention: str
    labels: tuple[str, ...]
    network: SentenceNetwork = field(repr=False)
    tokens: Tokens = field(repr=False)
    combinations: Mapping[Fusion, Combination] = field(repr=False)
    """By whose word decides; without `fused` where no gold was given."""
    card: Mapping[str, float | str]
    """What it was taught on."""
    _known: dict[str, NDArray[np.float32]] = field(default_factory=dict, init=False, repr=False)

    def judge(
        self,
        labeler: Labeler,
        texts: Sequence[str],
        fusion: Fusion = Fusion.FUSED,
        labelled: Sequence[ReportLabels] | None = None,
    ) -> Judged:
        """Probabilities and values of reports, in their order; give some thousands at most.

        `labelled` is what the labeler says of them, where that is known already. With `rules` the
        values are theirs, and the probabilities those of `fused`, or `neural` without gold. Raises
        InputError where the stage was taught other labels than the labeler's, or without the gold
        that `fused` needs.
        """
        self.check(labeler, fusion)
        reading = read_reports(labeler, texts, labelled)
        hazard_ul = self.hazards(reading.sentences)
        telling = fusion
        if fusion is Fusion.RULES:
            telling = Fusion.FUSED if Fusion.FUSED in self.combinations else Fusion.NEURAL
        combination = self.combinations[telling]
        seen = features(telling, reading.value_rl, report_hazards(reading, hazard_ul))
        probability_rl = combination.probability(seen)
        value_rl = reading.value_rl
        if fusion is not Fusion.RULES:
            ruled_rl = reading.coding.present(reading.value_rl)
            present_rl = probability_rl >= combination.threshold_l
            value_rl = decided(reading.value_rl, ruled_rl, present_rl)
        return Judged(value_rl, probability_rl, _loudest(reading, hazard_ul))

    def check(self, labeler: Labeler, fusion: Fusion) -> None:
        """Raise InputError where `judge` could not answer."""
        if self.labels != labeler.label_names:
            raise InputError(
                f"the neural stage was taught the labels of {self.convention!r}, which are not "
                "those of this convention; teach it anew"
            )
        if fusion is not Fusion.RULES and fusion not in self.combinations:
            known = " or ".join(self.combinations)
            raise InputError(
                f"the neural stage was taught without gold: --fusion {fusion} is not possible, "
                f"only {known}; give `chestct teach` --gold"
            )

    def hazards(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """The hazard of each sentence and label; what was seen before is not encoded again."""
        fresh = [sentence for sentence in sentences if sentence not in self._known]
        if len(self._known) + len(fresh) > _REMEMBERED:
            self._known.clear()
            fresh = list(sentences)
        for rows, batch in self._batches(fresh):
            with torch.inference_mode(), self._precision:
                found = self.network(batch).float().cpu().numpy()
            self._known.update(zip([fresh[row] for row in rows], found, strict=True))
        if not sentences:
            return np.zeros((0, len(self.labels)), np.float32)
        return np.stack([self._known[sentence] for sentence in sentences])

    def forget(self) -> None:
        """Forget all sentences: what comes next does not depend on what came before.

        The last bits of a number depend on the sentences that it was computed with.
        """
        self._known.clear()

    def states(self, sentences: Sequence[str]) -> list[Tensor]:
        """The encoder's state of every token of each sentence (t, d), on the CPU."""
        found: dict[int, Tensor] = {}
        for rows, batch in self._batches(sentences):
            with torch.inference_mode(), self._precision:
                states_btd = self.network.states(batch).float().cpu()
            lengths = (batch != self.tokens.pad).sum(dim=1).tolist()
            for row, states_td, length in zip(rows, states_btd, lengths, strict=True):
                found[row] = states_td[:length].clone()
        return [found[row] for row in range(len(sentences))]

    def _batches(self, sentences: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
        """Rows and their ids, sorted by length, where the network is; it is set to judge."""
        self.network.eval()
        ids = self.tokens.ids(sentences)
        for rows in batches_by_length([len(one) for one in ids], _TOKENS) if ids else ():
            yield rows, self.tokens.padded([ids[row] for row in rows]).to(self._device)

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def _precision(self) -> torch.autocast:
        """bfloat16 on a GPU."""
        gpu = self._device.type == "cuda"
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=gpu)


def best_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def report_hazards(reading: Reading, hazard_ul: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each report's hazards (reports, labels): the sum over its different sentences."""
    hazard_rl = [hazard_ul[bag].sum(axis=0) for bag in reading.bags()]
    return np.array(hazard_rl, np.float32).reshape(reading.value_rl.shape)


def _loudest(reading: Reading, hazard_ul: NDArray[np.float32]) -> NDArray[np.int32]:
    """The span of the sentence with the largest hazard, by report and label; (0, 0) for none."""
    span_rl2 = np.zeros((*reading.value_rl.shape, 2), np.int32)
    cuts = np.searchsorted(reading.report_o, np.arange(reading.reports + 1))
    for report, (start, end) in enumerate(pairwise(cuts)):
        if start < end:
            loudest_l = hazard_ul[reading.sentence_o[start:end]].argmax(axis=0)
            span_rl2[report] = reading.span_o2[start + loudest_l]
    return span_rl2
