"""A sentence encoder with a noisy-or over tokens and sentences.

Each token has a hazard for each label, softplus(logit) >= 0: how strongly it says, in its context,
that the finding is there. Hazards add up, over the tokens of a sentence and over the sentences of a
report, and P(present) = 1 - exp(-sum): the noisy-or of all tokens (Pearl 1988). One formula serves
a sentence as well as a report, so that gold of whole reports teaches sentences, and a label can be
led back to the sentence that made it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # PyTorch's own name for it

_RAREST = 1e-3
"""The least share of sentences that a label is thought to have before anything is learnt."""
_SMALLEST = 1e-6


class SentenceNetwork(nn.Module):
    """A transformers encoder, and a small head from each token to each label."""

    def __init__(self, encoder: Any, labels: int, pad: int) -> None:
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        self.pad = pad
        self.head: nn.Sequential = new_head(2 * width, labels)

    def start_at(self, share_l: Tensor, tokens: float) -> None:
        """Let each label begin at its share of sentences, given their mean number of tokens.

        A label is rare in tokens; from another start, hundreds of steps would go into its bias.
        """
        hazard_l = -torch.log1p(-share_l.clamp(_RAREST, 0.5)) / tokens
        self.head[-1].get_parameter("bias").data.copy_(torch.log(torch.expm1(hazard_l)))

    def states(self, ids_bt: Tensor) -> Tensor:
        """What the head sees of every token (b, t, 2 d): its encoding, and the word itself.

        An encoder that has learnt from rules forgets words that no rule knows; gold needs them.
        """
        mask_bt = (ids_bt != self.pad).long()
        encoded_btd = self.encoder(ids_bt, attention_mask=mask_bt).last_hidden_state
        words_btd = self.encoder.get_input_embeddings()(ids_bt)
        words_btd = F.layer_norm(words_btd, words_btd.shape[-1:])
        return torch.cat([encoded_btd, words_btd], dim=-1)

    def forward(self, ids_bt: Tensor) -> Tensor:
        """The hazard of every sentence and label (b, labels)."""
        hazard_btl = F.softplus(self.head(self.states(ids_bt)).float())
        return (hazard_btl * (ids_bt != self.pad)[:, :, None]).sum(dim=1)


def new_head(width: int, labels: int) -> nn.Sequential:
    """From what is seen of a token to a logit a label."""
    return nn.Sequential(
        nn.Dropout(0.1), nn.Linear(width, width), nn.GELU(), nn.Linear(width, labels)
    )


def pooled(hazard_pl: Tensor, whole_p: Tensor, wholes: int) -> Tensor:
    """The hazard of each whole (wholes, labels) from those of its parts; `whole_p` says whose."""
    return hazard_pl.new_zeros(wholes, hazard_pl.shape[1]).index_add(0, whole_p, hazard_pl)


def hazard_loss(hazard: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of P = 1 - exp(-hazard) against targets within 0 and 1, cell by cell."""
    hazard = hazard.clamp_min(_SMALLEST)
    return (1 - target) * hazard - target * torch.log(-torch.expm1(-hazard))


def logit_of(hazard: Tensor) -> Tensor:
    """log(P / (1 - P)) of P = 1 - exp(-hazard), finite for every hazard."""
    hazard = hazard.clamp_min(_SMALLEST)
    return hazard + torch.log(-torch.expm1(-hazard))
