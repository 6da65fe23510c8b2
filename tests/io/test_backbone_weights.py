"""Published weights: safetensors come in as they are, everything that could execute or is another format stays out."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import safetensors.numpy
import torch

from carbonray.errors import ContractError, DataError
from carbonray.io.backbone_weights import read_backbone
from carbonray.models.backbones import ResNet50, Vgg16, load_backbone
from tests.models.public_checkpoints import keras_resnet, vgg_checkpoint

RGB = ("red", "green", "blue")


def written(path: Path, tensors: dict[str, np.ndarray]) -> str:
    path.write_bytes(safetensors.numpy.save(tensors))
    return str(path)


def test_file_to_trunk_computes_what_it_computed_there(tmp_path: Path) -> None:
    """Keras' ResNet-50 and Slim's VGG-16, from a file to an answer."""
    x = torch.rand(1, 3, 32, 32)
    source, tensors = keras_resnet()
    found = read_backbone(written(tmp_path / "resnet.safetensors", tensors))
    trunk = ResNet50(3, "block3_pool", width=4, stride_on="conv1").eval()
    load_backbone(trunk, found.tensors, source_bands=RGB, stands_for=RGB, where="file")
    torch.testing.assert_close(trunk(x), source(x), rtol=1e-4, atol=1e-4)
    other, tensors = vgg_checkpoint("slim")
    found = read_backbone(written(tmp_path / "vgg.safetensors", tensors))
    vgg = Vgg16(3, "block4_pool", width=4)
    load_backbone(vgg, found.tensors, source_bands=RGB, stands_for=RGB, where="file")
    assert torch.equal(vgg(x), other(x))


def test_floats_become_float32_and_counts_stay_out(tmp_path: Path) -> None:
    tensors = {"a": np.arange(3, dtype=np.float16), "b": np.ones(2), "steps": np.array(7, np.int64)}
    found = read_backbone(written(tmp_path / "w.safetensors", tensors))
    assert {name: value.dtype.name for name, value in found.tensors.items()} == {"a": "float32", "b": "float32"}
    np.testing.assert_array_equal(found.tensors["a"], [0, 1, 2])


def test_pin_is_the_files_digest(tmp_path: Path) -> None:
    url = written(tmp_path / "w.safetensors", {"a": np.ones(2, np.float32)})
    digest = read_backbone(url).sha256
    assert len(digest) == 64 and read_backbone(url, digest).sha256 == digest
    with pytest.raises(ContractError, match="pinned is 000"):
        read_backbone(url, "0" * 64)


class _Bomb:
    def __reduce__(self):
        return Path.touch, (Path("carbonray-was-here"),)


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.ckpt", "w.bin", "w.pkl", "w.h5", "w"])
def test_other_names_are_refused_before_they_are_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractError, match=r"not called \.safetensors") as refused:
        read_backbone(str(tmp_path / name))
    assert "backbone_weights.py" in refused.value.remedy


@pytest.mark.parametrize("kind", ["pickle", "torch", "hdf5", "short", "truncated", "integers"])
def test_other_formats_under_the_right_name_are_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.safetensors"
    good = safetensors.numpy.save({"a": np.ones(8, np.float32)})
    if kind == "pickle":
        path.write_bytes(pickle.dumps(_Bomb()))
    elif kind == "torch":
        torch.save({"a": torch.ones(2)}, path)
    elif kind == "hdf5":
        with h5py.File(path, "w") as file:
            file["conv1/kernel"] = np.ones(3)
    else:
        integers = safetensors.numpy.save({"a": np.ones(8, np.int64)})
        path.write_bytes({"short": b"\x05", "truncated": good[:-3], "integers": integers}[kind])
    said = {"pickle": "a pickle", "torch": "a zip", "hdf5": "HDF5", "integers": "no floating-point"}
    with pytest.raises(ContractError, match=said.get(kind, "no whole safetensors")):
        read_backbone(str(path))
    assert not (tmp_path / "carbonray-was-here").exists()


def test_header_that_looks_like_another_format_is_still_read(tmp_path: Path) -> None:
    """The first bytes are the header's length: some lengths spell the start of a pickle or of a zip file."""
    for start in (b"\x80\x02", b"PK"):
        wanted = int.from_bytes(start, "little")
        filler = "x" * (wanted - 66)
        for extra in range(20):
            data = safetensors.numpy.save({"a": np.ones(2, np.float32)}, {"note": filler[: len(filler) - extra]})
            if data.startswith(start):
                break
        else:
            continue
        (tmp_path / "w.safetensors").write_bytes(data)
        assert read_backbone(str(tmp_path / "w.safetensors")).tensors.keys() == {"a"}
        return
    pytest.fail("no header of such a length was made")


def test_absent_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_backbone(str(tmp_path / "none.safetensors"))
