"""Denseface: DenseNet-BC with 100 layers and growth 12 for grey 64 x 64 faces."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models import DenseNet

DIM = 342
CLASSES = 8


class Denseface(nn.Module):
    """Three dense blocks of 16 bottleneck layers, compression 0.5: channels 24-216-108-300-150-342.

    DenseNet-BC (Huang et al. 2017) in the variant that the MMIN authors trained on FER+: a 3 x 3 stem of stride 2
    without normalisation or pooling. The stem is the only change to torchvision's network.
    """

    def __init__(self) -> None:
        super().__init__()
        network = DenseNet(growth_rate=12, block_config=(16, 16, 16), num_init_features=24, num_classes=CLASSES)
        self.body = network.features  # ends with a batch norm
        self.body.conv0 = nn.Conv2d(1, 24, kernel_size=3, stride=2, padding=1, bias=False)
        nn.init.kaiming_normal_(self.body.conv0.weight)
        del self.body.norm0, self.body.relu0, self.body.pool0
        self.classifier = network.classifier

    def features(self, faces: Tensor) -> Tensor:
        """(batch, 342) features of standardised faces (batch, 1, 64, 64)."""
        return cast(Tensor, self.body(faces).relu().mean((2, 3)))

    def forward(self, faces: Tensor) -> Tensor:
        """(batch, 8) logits: neutral, happy, surprise, sad, angry, disgust, fear, contempt."""
        return cast(Tensor, self.classifier(self.features(faces)))


def random_denseface(seed: int) -> tuple[Denseface, str]:
    """An untrained network drawn from `seed`, and the name of its weights; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = Denseface()
    return network.eval().requires_grad_(False), f"random:{seed}"
