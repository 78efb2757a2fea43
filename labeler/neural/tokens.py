"""Sentences as token ids, in batches of similar length."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from tokenizers import (
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor

SPECIAL = PAD, UNKNOWN, FIRST, LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
"""The first ids of a vocabulary of our own, in this order."""
VOCABULARY = 6_000
LONGEST = 192
"""Tokens of a sentence; what is beyond is cut. The segmenter cuts at 600 characters."""


def learn_tokenizer(sentences: Iterable[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """A lower-casing WordPiece tokenizer (Devlin et al., 2019) of an archive's own words."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        sentences,
        trainers.WordPieceTrainer(
            vocab_size=vocabulary,
            min_frequency=2,
            show_progress=False,
            special_tokens=list(SPECIAL),
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (FIRST, LAST)],
    )
    return tokenizer


class Tokens:
    """Turns sentences into ids; knows how to pad."""

    def __init__(self, tokenizer: Tokenizer, pad: int, longest: int = LONGEST) -> None:
        self.tokenizer, self.pad, self.longest = tokenizer, pad, longest
        tokenizer.no_padding()
        tokenizer.enable_truncation(longest)

    def ids(self, sentences: Sequence[str]) -> list[list[int]]:
        """The ids of each sentence, with the special ones around it."""
        return [coded.ids for coded in self.tokenizer.encode_batch(list(sentences))]

    def padded(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """One batch (b, t) of int64 ids."""
        longest = max(map(len, ids))
        batch = torch.full((len(ids), longest), self.pad)
        for row, one in enumerate(ids):
            batch[row, : len(one)] = torch.tensor(one)
        return batch


def batches_by_length(
    lengths: Sequence[int], tokens: int, rng: np.random.Generator | None = None
) -> Iterator[list[int]]:
    """Rows in batches of at most `tokens` ids with padding, sorted by length; with `rng` shuffled.

    Shuffled, rows of one length change places and batches come in any order.
    """
    noise = np.zeros(len(lengths)) if rng is None else rng.random(len(lengths))
    order = np.lexsort((noise, np.asarray(lengths)))
    batches: list[list[int]] = [[]]
    for row in order.tolist():
        if len(batches[-1]) and (len(batches[-1]) + 1) * lengths[row] > tokens:
            batches.append([])
        batches[-1].append(row)
    numbers = np.arange(len(batches)) if rng is None else rng.permutation(len(batches))
    for number in numbers.tolist():
        yield batches[number]
