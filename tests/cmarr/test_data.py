from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cmarr.data import Dataset, Packed, labels_of, load
from cmarr.settings import Features
from extractors.files import UserError, sha256
from extractors.store import FeatureStore


def loaded(toy, limits: Features = Features(), **choice) -> Dataset:  # noqa: B008
    ids = [row["utterance"] for row in toy.rows]
    stores = toy.stores(**choice)
    labels = [row["label"] for row in toy.rows]
    return load(stores, ids, labels, toy.classes, limits, sha256(toy.manifest), torch.device("cpu"))


def expected(toy, modality: str, name: str, longest: int) -> NDArray[np.float32]:
    with FeatureStore(toy.folder / f"{modality}.h5") as store:
        frames = store[name]
    kept = [value for value, valid in zip(frames.values, frames.valid, strict=True) if valid][:longest]
    return np.stack(kept) if kept else np.zeros((1, frames.values.shape[1]), np.float32)


def test_a_batch_holds_the_valid_frames_cut_and_padded(toy) -> None:
    data = loaded(toy, Features(max_tokens=3))
    rows = torch.tensor([5, 0, 40])
    batch = data.batch(rows, torch.ones(3, 3, dtype=torch.bool))
    for modality, longest in (("text", 3), ("speech", 499), ("video", 50)):
        for place, row in enumerate(rows.tolist()):
            truth = expected(toy, modality, data.ids[row], longest)
            length = int(batch.lengths[modality][place])
            assert length == len(truth)
            np.testing.assert_array_equal(batch.features[modality][place, :length], truth)
            assert not batch.features[modality][place, length:].any()
    assert batch.labels is not None
    assert [toy.classes[label] for label in batch.labels.tolist()] == [toy.rows[row]["label"] for row in rows.tolist()]


def test_an_utterance_without_a_face_is_one_frame_of_zeros(toy) -> None:
    data = loaded(toy)
    before = data.statistics([4, 6])
    for mean, other in zip(data.statistics([4, 5, 6])["video"], before["video"], strict=True):
        assert torch.equal(mean, other)  # it is no frame and does not count
    data.standardize(before)
    batch = data.batch(torch.tensor([5]), "v")
    assert batch.lengths["video"].tolist() == [1]
    assert not batch.features["video"].any()


def test_a_condition_leaves_the_other_modalities_out_of_the_batch(toy) -> None:
    batch = loaded(toy).batch(torch.tensor([1, 2]), "vt")
    assert set(batch.features) == set(batch.lengths) == {"text", "video"}
    assert batch.available.tolist() == [[True, False, True]] * 2


def test_statistics_are_those_of_the_training_frames_alone(toy) -> None:
    data = loaded(toy)
    rows = [0, 3, 7]
    found = data.statistics(rows)
    for modality, (mean, deviation) in found.items():
        frames = np.concatenate([expected(toy, modality, data.ids[row], 499) for row in rows]).astype(np.float64)
        np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(deviation, frames.std(axis=0), rtol=1e-5)
    for packed in data.packed.values():
        packed.values[packed.offsets[8] :] += 100  # other utterances
    for modality, (mean, _) in data.statistics(rows).items():
        assert torch.equal(mean, found[modality][0])


def test_standardized_training_frames_have_zero_mean_and_unit_deviation(toy) -> None:
    data = loaded(toy)
    rows = list(range(len(data.ids)))
    data.standardize(data.statistics(rows))
    for mean, deviation in data.statistics(rows).values():
        torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-5, rtol=0)
        torch.testing.assert_close(deviation, torch.ones_like(deviation))


def test_padding_stays_zeros_when_features_are_standardized(toy) -> None:
    data = loaded(toy)
    rows = torch.arange(len(data.ids))
    data.standardize(data.statistics(rows.tolist()))
    batch = data.batch(rows, "svt")
    for modality, values in batch.features.items():
        for frames, length in zip(values, batch.lengths[modality].tolist(), strict=True):
            assert not frames[length:].any()


def test_a_constant_dimension_is_not_divided_by_zero() -> None:
    data = Dataset(
        ["a"], torch.zeros(1), {"text": Packed(torch.ones(4, 2), torch.tensor([0, 4]), torch.tensor([False]))}, ["x"]
    )
    data.standardize(data.statistics([0]))
    assert not data.packed["text"].values.any()


def test_a_store_of_another_manifest_is_refused(toy) -> None:
    with pytest.raises(UserError, match=r"text\.h5: made from another manifest"):
        load(toy.stores(("text",)), ["x"], ["sad"], toy.classes, Features(), "another", torch.device("cpu"))


def test_labels_are_places_in_the_classes_of_the_corpus(clips) -> None:
    data = loaded(clips)
    assert [data.classes[label] for label in data.labels.tolist()] == [row["label"] for row in clips.rows]
    assert data.classes == ("sad", "joy", "very angry")


def test_labels_come_in_the_order_asked_for(toy) -> None:
    names = [toy.rows[3]["utterance"], toy.rows[0]["utterance"]]
    assert labels_of(toy.manifest, names) == ["sad", "angry"]
    with pytest.raises(UserError, match="has no S9"):
        labels_of(toy.manifest, ["S9"])


def test_modalities_without_statistics_stay_as_they_are(toy) -> None:
    data, same = loaded(toy), loaded(toy)
    statistics = data.statistics(range(len(data.ids)), ("speech",))
    assert set(statistics) == {"speech"}
    data.standardize(statistics)
    assert torch.equal(data.packed["text"].values, same.packed["text"].values)
    assert not torch.equal(data.packed["speech"].values, same.packed["speech"].values)


@pytest.mark.parametrize("size", [1, 2, 5, 20])
def test_averaged_sequence_by_sequence(size: int) -> None:
    values = torch.randn(18, 3)
    values[17] = 0
    packed = Packed(values, torch.tensor([0, 1, 8, 17]), torch.tensor([False, True, False]))
    data = Dataset(["a", "b", "c"], torch.zeros(3, dtype=torch.int64), {"speech": packed, "text": packed}, ["x"])
    data.average({"speech": size})
    assert data.packed["text"] is packed
    found = data.packed["speech"]
    assert found.absent.tolist() == [False, True, False]
    assert not found.values[-1].any()
    assert len(found.values) == found.offsets[-1] + 1
    for row, (begin, end) in enumerate([(0, 1), (1, 8), (8, 17)]):
        expected = [values[first : min(first + size, end)].mean(0) for first in range(begin, end, size)]
        torch.testing.assert_close(found.values[found.offsets[row] : found.offsets[row + 1]], torch.stack(expected))
