"""Bundles: what is saved is what is opened, and everything that is not a bundle is refused with a remedy."""

import hashlib
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from carbonray.errors import ConflictError, ContractError, DataError
from carbonray.io.bundle_json import MAX_BYTES, MAX_DEPTH, json_depth, parsed_json
from carbonray.io.model_store import Bundle, Lineage, bundle_sha256, open_bundle, packaged_bundle_url, save_bundle

LINEAGE = Lineage(
    command="python -m jobs.train --model unet",
    run_id="r1",
    seed=3,
    scenes=100,
    validation_scenes=10,
    epochs=2,
    generator_sha256="ab" * 32,
    settings_digest="cd" * 32,
    versions={"torch": "2.13.0"},
    fit={"batch_size": 32},
    validation={"f1_at_cut": 0.5},
    fold_table={"block 12 34": 2},
)
BUNDLE = Bundle(
    model="unet",
    config={"width": 8},
    encoding={"channels": ["no2"], "q_max_kg_s": 3.0},
    cut=0.17,
    lineage=LINEAGE,
    tensors={
        "head.weight": np.arange(6, dtype=np.float16).reshape(2, 3),
        "bn.steps": np.array(7, np.int64),
        "bn.mean": np.array([0.5], np.float32),
    },
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    save_bundle(str(tmp_path / "b"), BUNDLE)
    return str(tmp_path / "b")


def rewrite(url: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes the JSON and signs it again, as an attacker without the pin would."""
    path = Path(url) / "bundle.json"
    document = json.loads(path.read_text())
    change(document)
    sign(url, json.dumps(document).encode())


def sign(url: str, manifest: bytes) -> None:
    (Path(url) / "bundle.json").write_bytes(manifest)
    (Path(url) / "bundle.sha256").write_text(f"{hashlib.sha256(manifest).hexdigest()}  bundle.json\n")


def swap_weights(url: str, weights: bytes) -> None:
    (Path(url) / "model.safetensors").write_bytes(weights)
    rewrite(url, lambda d: d["weights"].update(sha256=hashlib.sha256(weights).hexdigest()))


def test_opened_bundle_is_the_saved_one(url: str) -> None:
    opened = open_bundle(url)
    assert replace(opened, tensors={}) == replace(BUNDLE, tensors={})
    assert opened.tensors.keys() == BUNDLE.tensors.keys()
    for name, value in BUNDLE.tensors.items():
        np.testing.assert_array_equal(opened.tensors[name], value, strict=True)


def test_same_bundle_is_the_same_bytes_and_may_be_saved_again(url: str, tmp_path: Path) -> None:
    turned_round = replace(BUNDLE, tensors=dict(reversed(BUNDLE.tensors.items())))
    digest = save_bundle(str(tmp_path / "c"), turned_round)
    assert digest == bundle_sha256(url) == save_bundle(url, BUNDLE)
    for name in ("model.safetensors", "bundle.json", "bundle.sha256"):
        assert (tmp_path / "c" / name).read_bytes() == (Path(url) / name).read_bytes()


def test_another_bundle_never_overwrites(url: str) -> None:
    with pytest.raises(ConflictError):
        save_bundle(url, replace(BUNDLE, cut=0.3))


def test_pin_covers_json_and_weights(url: str) -> None:
    digest = bundle_sha256(url)
    assert open_bundle(url, digest).cut == 0.17
    with pytest.raises(ContractError, match="digest is wrong"):
        open_bundle(url, "0" * 64)
    rewrite(url, lambda d: d.update(cut=0.9))
    assert open_bundle(url).cut == 0.9  # well formed and signed ...
    with pytest.raises(ContractError, match="digest is wrong"):
        open_bundle(url, digest)  # ... but not the pinned one


def test_changed_weights_are_refused(url: str) -> None:
    path = Path(url) / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ContractError, match="weights' digest is wrong"):
        open_bundle(url)


def test_unsigned_json_is_refused(url: str) -> None:
    (Path(url) / "bundle.json").write_text("{}")
    with pytest.raises(ContractError, match="digest is wrong"):
        open_bundle(url)


class _Bomb:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return Path.touch, (Path("/tmp/carbonray-was-here"),)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "weights",
    [
        pickle.dumps(_Bomb()),
        b"",
        b"\x05",
        (2**63).to_bytes(8, "little") + b"{}",
        (1 << 30).to_bytes(8, "little") + b"{" + b" " * 64,
        (2).to_bytes(8, "little") + b"{}" + b"trailing bytes that no tensor owns",
        safetensors.numpy.save({"head.weight": np.zeros(3)}),
        safetensors.numpy.save(BUNDLE.tensors)[:-3],
    ],
    ids=["pickle", "empty", "short", "huge header", "large header", "trailing", "float64", "truncated"],
)
def test_weights_that_are_not_the_listed_safetensors_are_refused(url: str, weights: bytes) -> None:
    swap_weights(url, weights)
    with pytest.raises(ContractError) as refused:
        open_bundle(url)
    assert "train it again" in refused.value.remedy
    assert not Path("/tmp/carbonray-was-here").exists()


@pytest.mark.parametrize("tensors", [
    {**BUNDLE.tensors, "extra": np.zeros(1, np.float16)},
    {k: v for k, v in BUNDLE.tensors.items() if k != "bn.mean"},
    {**BUNDLE.tensors, "bn.mean": np.zeros((1, 1), np.float32)},
    {**BUNDLE.tensors, "bn.mean": np.zeros(1, np.float16)},
], ids=["one more", "one less", "another shape", "another type"])  # fmt: skip
def test_tensors_are_exactly_those_listed(url: str, tensors: dict[str, Any]) -> None:
    swap_weights(url, safetensors.numpy.save(tensors))
    with pytest.raises(ContractError, match="tensors differ"):
        open_bundle(url)


@pytest.mark.parametrize("file", ["../../etc/passwd", "/etc/passwd", "s3://elsewhere/model.safetensors", "model.pt", 7])
def test_manifest_that_points_elsewhere_is_refused(url: str, file: object) -> None:
    rewrite(url, lambda d: d["weights"].update(file=file))
    with pytest.raises(ContractError, match="points at"):
        open_bundle(url)


@pytest.mark.parametrize("change", [
    lambda d: d.update(format_version=2),
    lambda d: d.update(cut=1.5),
    lambda d: d.update(cut="0.2"),
    lambda d: d.update(config=[]),
    lambda d: d.update(weights=[]),
    lambda d: d.update(callback="os.system"),
    lambda d: d.pop("encoding"),
    lambda d: d["lineage"].pop("seed"),
    lambda d: d["lineage"].update(author="someone"),
    lambda d: d["weights"].update(compression="zip"),
])  # fmt: skip
def test_json_that_is_not_a_bundles_is_refused(url: str, change: Callable[[dict[str, Any]], None]) -> None:
    rewrite(url, change)
    with pytest.raises(ContractError):
        open_bundle(url)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested 100000 deep"),
        (b'{"a": "' + b"x" * MAX_BYTES + b'"}', "bytes of JSON"),
        (b'{"cut": ' + b"9" * 5_000 + b"}", "not JSON"),
        (b'{"cut": NaN}', "NaN is no JSON number"),
        (b'{"cut": ', "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[1, 2]", "not a bundle's"),
    ],
    ids=["deep", "large", "long number", "nan", "truncated", "not UTF-8", "a list"],
)
def test_hostile_json_is_refused_before_it_is_built(url: str, manifest: bytes, said: str) -> None:
    sign(url, manifest)
    with pytest.raises(ContractError, match=said) as refused:
        open_bundle(url)
    assert refused.value.remedy


def test_depth_counts_brackets_outside_strings() -> None:
    assert json_depth(b'{"a": [1, {"b": 2}], "c": []}') == 3
    assert json_depth(rb'{"a": "[[[\"[[[\\"}') == 1
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert json_depth(deep) == MAX_DEPTH and parsed_json(deep, where="here")


def test_absent_bundle_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        open_bundle(str(tmp_path / "none"))


def test_unknown_packaged_bundle_names_those_that_ship() -> None:
    with pytest.raises(ContractError, match="no bundle 'resnet' ships"):
        packaged_bundle_url("resnet")
