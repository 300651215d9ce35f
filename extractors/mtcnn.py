"""MTCNN as facenet-pytorch has it, several times faster on a CPU.

Zhang, Zhang, Li and Qiao 2016, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks":
P-net finds candidates in a pyramid of the picture, R-net and O-net look at each of them again. Networks, weights,
thresholds and the arithmetic of boxes are those of facenet-pytorch 2.6.0 (`models/utils/detect_face.py`), and so are
the faces, but for rounding. The time is saved by scaling along one axis after the other, by maps with channels last, by
maxima of slices for the pooling of P-net, and by few pictures at a time, which stay in the cache.

Deviations: pictures of a batch never meet. The package moves their boxes apart in float32 for the suppression of
overlapping ones, so that the last bits depend on the batch. A candidate that lies outside of the picture is left out;
the package leaves out its crop but not its box, and fails. Boxes are computed on the CPU whatever the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, linear, pad

CELL, STRIDE = 12, 2
"""Side of what P-net looks at, and its step, in pixels of the scaled picture."""
FACTOR = 0.709
LIKELY = (0.6, 0.7, 0.7)
"""Least probability of a face that P-, R- and O-net let pass."""
PIXELS = {"cpu": 2**15, "cuda": 2**21}
"""Of candidates that pass R-net or O-net together."""
APART = 2**14
"""More pixels than an axis has; whole pixels plus less than 1000 times this are exact in float32."""


class Found(NamedTuple):
    """Candidates for a face, on the CPU; shifts of the edges of a box are shares of its sides."""

    pictures: Tensor  # (candidates,): numbers in the batch
    boxes: Tensor  # (candidates, 4): left, top, right, bottom in pixels
    scores: Tensor  # (candidates,)
    shifts: Tensor  # (candidates, 4)

    def chosen(self, rows: Tensor) -> Found:
        """The candidates `rows`, numbers or a mask, in their order."""
        return Found(*(column[rows] for column in self))


class Cascade(nn.Module):
    """The three networks in evaluation mode and what lies between them; faces of `min_face` pixels and more."""

    def __init__(self, min_face: int) -> None:
        from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

        super().__init__()
        self.min_face = min_face
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()
        self.eval().requires_grad_(False)
        for weight in self.parameters():
            if weight.ndim == 4:
                weight.data = weight.contiguous(memory_format=torch.channels_last)

    def forward(self, frames: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Boxes (faces, 4) and probabilities (faces,) of each of the frames (batch, height, width, RGB), uint8.

        Left, top, right and bottom in pixels; float32 on the CPU, the most probable face first.
        """
        from facenet_pytorch.models.utils.detect_face import bbreg, nms_numpy, rerec
        from torchvision.ops import nms

        pictures = frames.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        found = self._candidates(pictures)
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).repeat(1, 2)
        found = _look(self.rnet, 24, LIKELY[1], pictures, found.pictures, rerec(found.boxes + found.shifts * sides))
        found = _each(found, lambda boxes, scores: nms(boxes, scores, 0.7))
        found = _look(self.onet, 48, LIKELY[2], pictures, found.pictures, rerec(bbreg(found.boxes, found.shifts)))
        found = found._replace(boxes=bbreg(found.boxes, found.shifts))
        found = _each(found, lambda boxes, scores: nms_numpy(boxes.numpy(), scores.numpy(), 0.7, "Min"))
        owned = [found.chosen(found.pictures == number) for number in range(len(frames))]
        return [(one.boxes, one.scores) for one in owned]

    def _candidates(self, pictures: Tensor) -> Found:
        """What P-net finds in pictures (batch, 3, height, width); edges of boxes are whole numbers."""
        size = pictures.shape[2:]
        parts = [Found(torch.zeros(0, dtype=torch.long), torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, 4))]
        for scale in _scales(min(size), self.min_face):
            small = area(pictures.flatten(0, 1), int(size[0] * scale + 1), int(size[1] * scale + 1))
            likely, maps = self._propose(_standardised(small.unflatten(0, pictures.shape[:2])))
            cells = (likely >= LIKELY[0]).nonzero(as_tuple=True)
            shifts = linear(maps[cells], self.pnet.conv4_2.weight.flatten(1), self.pnet.conv4_2.bias)
            numbers, rows, columns = (place.cpu() for place in cells)
            corners = STRIDE * torch.stack([columns, rows], 1).float()
            boxes = torch.cat([((corners + 1) / scale).floor(), ((corners + CELL) / scale).floor()], 1)
            parts.append(_distinct(Found(numbers, boxes, likely[cells].cpu(), shifts.float().cpu()), 0.5))
        return _distinct(Found(*(torch.cat(columns) for columns in zip(*parts, strict=True))), 0.7)

    def _propose(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Probability of a face (batch, rows, columns) in each cell, and P-net's maps (batch, rows, columns, 32)."""
        net: Any = self.pnet
        maps: Tensor = _halved(net.prelu1(net.conv1(pictures)))
        maps = net.prelu3(net.conv3(net.prelu2(net.conv2(maps)))).permute(0, 2, 3, 1)
        pair = linear(maps, net.conv4_1.weight.flatten(1), net.conv4_1.bias).float()
        return (pair[..., 1] - pair[..., 0]).sigmoid(), maps


def _distinct(found: Found, overlap: float) -> Found:
    """Non-maximum suppression in each picture of boxes whose edges are whole numbers."""
    from torchvision.ops import nms

    return found.chosen(nms(found.boxes + APART * found.pictures[:, None], found.scores, overlap))


def _each(found: Found, pick: Callable[[Tensor, Tensor], Any]) -> Found:
    """The candidates that `pick` chooses by number, in the order of its choice, out of those of one picture."""
    rows = [torch.zeros(0, dtype=torch.long)]
    for number in found.pictures.unique():
        own = (found.pictures == number).nonzero()[:, 0]
        rows.append(own[torch.as_tensor(pick(found.boxes[own], found.scores[own]), dtype=torch.long)])
    return found.chosen(torch.cat(rows))


def _look(net: nn.Module, side: int, least: float, pictures: Tensor, numbers: Tensor, boxes: Tensor) -> Found:
    """The boxes in which R-net or O-net, whose input has `side` pixels a side, sees a face."""
    height, width = pictures.shape[2:]
    corners = boxes.trunc().int()
    first = corners[:, :2].clamp(min=1) - 1
    last = corners[:, 2:].minimum(torch.tensor([width, height]))
    inside = (first < last).all(1)
    places = torch.cat([numbers[:, None], first, last], 1)[inside].tolist()
    if not places:
        return Found(numbers[:0], boxes[:0], boxes[:0, 0], boxes[:0])
    crops = [
        area(pictures[number, :, top:bottom, left:right], side, side) for number, left, top, right, bottom in places
    ]
    few = PIXELS[pictures.device.type] // side**2
    seen = [net(part) for part in _standardised(torch.stack(crops)).split(few)]
    shifts, scores = (torch.cat([outputs[k] for outputs in seen]).float().cpu() for k in (0, -1))
    found = Found(numbers[inside], boxes[inside], scores[:, 1], shifts)
    return found.chosen(found.scores > least)


def _scales(shortest: float, min_face: int) -> Iterator[float]:
    """Scales of the pyramid of a picture whose shorter side is `shortest`."""
    scale = CELL / min_face
    shortest *= scale
    while shortest >= CELL:
        yield scale
        scale *= FACTOR
        shortest *= FACTOR


def area(planes: Tensor, rows: int, columns: int) -> Tensor:
    """Planes (batch, height, width) scaled to (batch, rows, columns) as `interpolate` does in mode `area`.

    Each axis is averaged with the other one as channels, for which PyTorch's kernels use vectors.
    """
    for length in (rows, columns):
        wide = planes.contiguous().unsqueeze(2).permute(0, 3, 1, 2)  # (batch, width as channels, height, 1)
        planes = adaptive_avg_pool2d(wide, (length, 1))[..., 0]  # (batch, width, length)
    return planes


def _standardised(pictures: Tensor) -> Tensor:
    return ((pictures - 127.5) * 0.0078125).contiguous(memory_format=torch.channels_last)


def _halved(maps: Tensor) -> Tensor:
    """Maxima of 2 x 2 pixels; where a side is odd, of what there is."""
    height, width = maps.shape[2:]
    maps = pad(maps, (0, width % 2, 0, height % 2), value=-torch.inf) if height % 2 or width % 2 else maps
    maps = torch.maximum(maps[:, :, ::2], maps[:, :, 1::2])
    return torch.maximum(maps[..., ::2], maps[..., 1::2])
