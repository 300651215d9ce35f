"""Denseface: DenseNet-BC with 100 layers and growth 12 for grey 64 x 64 faces."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import DenseNet

from extractors.ferplus_targets import EMOTIONS
from extractors.files import UserError, sha256
from extractors.settings import DensefaceRecipe

DIM = 342
SHIPPED = Path(__file__).with_name("weights.safetensors")
"""Weights trained on FER+; docs/denseface.md is their model card."""
SHIPPED_SHA256 = "0025917ce48ed9dfebb9fa47fdf2f81eb701dc666a3030111987500854837ad4"
BROKEN_COPY = "restore this file of the project"


class Denseface(nn.Module):
    """Three dense blocks of 16 bottleneck layers, compression 0.5: channels 24-216-108-300-150-342.

    DenseNet-BC (Huang et al. 2017) in the variant that the MMIN authors trained on FER+: a 3 x 3 stem of stride 2
    without normalisation or pooling. The stem is the only change to torchvision's network.
    """

    def __init__(self) -> None:
        super().__init__()
        network = DenseNet(growth_rate=12, block_config=(16, 16, 16), num_init_features=24, num_classes=len(EMOTIONS))
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


def load(weights: Path | None = None) -> tuple[Denseface, str]:
    """The network with the shipped weights or those of a file of `denseface train`, and the name of its weights.

    In evaluation mode, without gradients, on the CPU. UserError when the file is missing or is something else.
    """
    path = weights or SHIPPED
    if not path.is_file():
        raise UserError(f"{path} is missing; " + ("make it with `denseface train`" if weights else BROKEN_COPY))
    if weights is None and sha256(path) != SHIPPED_SHA256:
        raise UserError(f"{path} is damaged; {BROKEN_COPY}")
    with torch.device("meta"):  # no first weights are drawn
        network = Denseface()
    try:
        network.load_state_dict(load_file(path), assign=True)
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise UserError(f"{path} has no weights of Denseface ({reason}); name a file of `denseface train`") from error
    return network.float().eval().requires_grad_(False), f"ferplus:{sha256(path)[:12]}"


def recipe(weights: Path | None = None) -> DensefaceRecipe:
    """How weights were trained, as `load` takes them."""
    path = weights or SHIPPED
    try:
        with safe_open(path, "pt") as stream:
            return DensefaceRecipe.model_validate_json(stream.metadata()["recipe"])
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise UserError(f"{path} says no recipe; name a file of `denseface train`") from error
