from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.blocks.sequence_encoder import SILENCE, LstmEncoder, TextCnn
from tests.closeness import changed

LENGTHS = torch.tensor([1, 2, 3, 7, 11, 5])
Encoder = LstmEncoder | TextCnn


def frames() -> Tensor:
    x = torch.randn(len(LENGTHS), 11, 4, generator=torch.Generator().manual_seed(0))
    return torch.where(torch.arange(11)[:, None] < LENGTHS[:, None, None], x, 0)


def lstm(**switches: bool) -> LstmEncoder:
    torch.manual_seed(0)
    encoder = LstmEncoder(4, 3, **switches)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter)
    return encoder


def cnn(**switches: bool) -> TextCnn:
    torch.manual_seed(0)
    encoder = TextCnn(4, 3, 0.5, **switches).eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter)
    return encoder


def states(encoder: LstmEncoder, x: Tensor) -> Tensor:
    """(time, width): the gates' equations, step by step."""
    w_ih, w_hh, b_ih, b_hh = encoder.lstm.parameters()
    h, c, out = torch.zeros(3), torch.zeros(3), []
    for frame in x:
        i, f, g, o = (w_ih @ frame + b_ih + w_hh @ h + b_hh).reshape(4, 3)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        out.append(h)
    return torch.stack(out)


def convolved(encoder: TextCnn, x: Tensor) -> Tensor:
    """(width,) of `x` (time, dim), window by window."""
    largest = []
    for kernel, convolution in zip((3, 4, 5), encoder.convolutions, strict=True):
        weight, bias = convolution.parameters()  # (width, dim, kernel), (width,)
        windows = [x[first : first + kernel] for first in range(len(x) - kernel + 1)]
        outs = [functional.relu((weight * window.T).sum((1, 2)) + bias).detach() for window in windows]
        largest += [max(float(out[channel]) for out in outs) for channel in range(3)]
    linear = encoder.head[1]
    assert isinstance(linear, nn.Linear)
    return functional.relu(linear(torch.tensor(largest)))


@pytest.mark.parametrize("last", [False, True])
def test_lstm_sequence_by_sequence(last: bool) -> None:
    encoder, x = lstm(last=last), frames()
    out = encoder(x, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        steps = states(encoder, x[row, :length])
        torch.testing.assert_close(out[row], steps[-1] if last else steps.amax(0))


@pytest.mark.parametrize("last", [False, True])
def test_lstm_with_legacy_padding_runs_over_zeros(last: bool) -> None:
    encoder, x = lstm(legacy_padding=True, last=last), frames()
    out = encoder(x, LENGTHS)
    for row in range(len(x)):
        steps = states(encoder, x[row])
        torch.testing.assert_close(out[row], steps[-1] if last else steps.amax(0))


def test_cnn_sequence_by_sequence_with_short_ones_filled_up() -> None:
    encoder, x = cnn(), frames()
    out = encoder(x, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(out[row], convolved(encoder, x[row, : max(length, 5)]))


def test_cnn_with_legacy_padding_reads_every_window() -> None:
    encoder, x = cnn(legacy_padding=True), frames()
    out = encoder(x, LENGTHS)
    for row in range(len(x)):
        torch.testing.assert_close(out[row], convolved(encoder, x[row]))


def test_cnn_of_a_batch_of_short_texts() -> None:
    encoder, x = cnn(), frames()[:3, :3]
    out = encoder(x, LENGTHS[:3])
    for row in range(3):
        torch.testing.assert_close(out[row], convolved(encoder, functional.pad(x[row], (0, 0, 0, 2))))


def test_cnn_of_a_gpu_is_the_same() -> None:
    encoder, x, ends = cnn(), frames(), LENGTHS.clamp(min=5)
    for one, other in zip(encoder._largest_on_gpu(x, ends), encoder._largest(x, ends), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("encoder", [lstm(), lstm(last=True), cnn()])
def test_a_gpu_gives_the_same(encoder: Encoder) -> None:
    expected = encoder(frames(), LENGTHS)
    there = copy.deepcopy(encoder).cuda()
    torch.testing.assert_close(there(frames().cuda(), LENGTHS.cuda()).cpu(), expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(there.silence(2).cpu(), encoder.silence(2), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("last", [False, True])
def test_silence_is_fifty_zero_frames(last: bool) -> None:
    assert SILENCE == 50
    for encoder in (lstm(last=last), cnn()):
        zeros, length = torch.zeros(1, 50, 4), torch.tensor([50])
        torch.testing.assert_close(encoder.silence(3), encoder(zeros, length).expand(3, -1))


@pytest.mark.parametrize("encoder", [lstm(), lstm(last=True), cnn()])
def test_more_padding_changes_nothing(encoder: Encoder) -> None:
    wider = functional.pad(frames(), (0, 0, 0, 20))
    out = encoder(frames(), LENGTHS)
    torch.testing.assert_close(encoder(wider, LENGTHS), out)
    encoder = copy.deepcopy(encoder)
    encoder.legacy_padding = True
    assert changed(encoder(wider, LENGTHS), encoder(frames(), LENGTHS))


@pytest.mark.parametrize("encoder", [lstm(), lstm(last=True), cnn()])
def test_gradients_are_those_of_the_sequences_one_by_one(encoder: Encoder) -> None:
    parameters, x = list(encoder.parameters()), frames()
    upstream = torch.randn(len(x), 3)
    together = torch.autograd.grad((encoder(x, LENGTHS) * upstream).sum(), parameters)
    alone = [
        encoder(x[row : row + 1, :length], LENGTHS[row : row + 1])[0] @ upstream[row]
        for row, length in enumerate(LENGTHS.tolist())
    ]
    for one, other in zip(together, torch.autograd.grad(torch.stack(alone).sum(), parameters), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_dropout_of_the_text_is_drawn_row_by_row() -> None:
    torch.manual_seed(0)
    encoder = TextCnn(4, 32, 0.5)
    nn.init.ones_(encoder.convolutions[0].bias)  # type: ignore[arg-type]
    quiet = encoder.silence(8)
    assert all(changed(quiet[0], other) for other in quiet[1:])
    torch.testing.assert_close(encoder.eval().silence(8), encoder.silence(1).expand(8, -1))


@pytest.mark.parametrize(
    ("encoder", "parameters"),
    [
        (LstmEncoder(130, 128), 133_120),
        (LstmEncoder(342, 128), 241_664),
        (LstmEncoder(1024, 128), 590_848),
        (TextCnn(1024, 128, 0.5), 1_622_528),
    ],
)
def test_parameter_count(encoder: Encoder, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in encoder.parameters()) == parameters
