"""Contrast of two modalities: embeddings of one utterance attract each other, those of others repel."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

KAPPA = math.e
"""published as the exponential of a parameter that starts at 1 and is never given to the optimiser"""


def pair_contrast(one: Tensor, other: Tensor) -> Tensor:
    """Scalar for the embeddings of two modalities, each (batch, width), in float32; symmetric.

    With unit vectors u_i and w_i: -log(exp(kappa u_i w_i) / sum over j != i of exp(kappa u_i w_j)), mean over i and
    both directions. The positive is not in the denominator, so the loss may be negative. Source: CIF-MMIN's public
    code (ZhuoYulang/CIF-MMIN, models/utt_self_supervise_model.py). Deviations: no 1e-10 in the denominator, which is
    far below its last digit; 0 for a single utterance, which has nothing to be contrasted with.
    """
    if len(one) < 2:
        return one.new_zeros((), dtype=torch.float32)
    with torch.autocast(one.device.type, enabled=False):
        similarity = KAPPA * functional.normalize(one.float(), dim=1) @ functional.normalize(other.float(), dim=1).T
    foreign = similarity.masked_fill(torch.eye(len(one), dtype=torch.bool, device=one.device), -math.inf)
    return (0.5 * (foreign.logsumexp(1) + foreign.logsumexp(0)) - similarity.diagonal()).mean()
