"""Model bundles: weights as safetensors, everything else as JSON, one hash over both; anything else is refused.

A bundle is a folder: `model.safetensors`, `bundle.json`, and `bundle.sha256` with the digest of the JSON, which holds
the digest of the weights, so that the one digest pins both. Nothing in a bundle can execute. Tensors are numpy arrays
by name, float32 or float16 (stored), int64 and uint8; what they mean is known to `carbonray.models`, which this layer
never imports.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.io.bundle_json import parsed_json
from carbonray.io.objectstore import join, put_once, read_bytes, sha256

FORMAT_VERSION = 1
WEIGHTS = "model.safetensors"
MANIFEST = "bundle.json"
DIGEST = "bundle.sha256"
MAX_HEADER_BYTES = 1 << 20  # of a safetensors header: 100 times that of our largest network
DTYPES = {
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "I64": np.dtype(np.int64),
    "U8": np.dtype(np.uint8),  # bytes of another format, such as trees
}

_TRAIN_AGAIN = "Restore the bundle from its source, or train it again with jobs/train.py."


@dataclass(frozen=True)
class Lineage:
    """How a bundle came about.

    Attributes:
        command: the command that trains it again.
        run_id: of the run that trained it.
        seed: of the fit.
        scenes: training scenes, complete observations only.
        validation_scenes: such scenes that the cut was chosen on.
        epochs: passes over the training scenes.
        generator_sha256: digest of the generator's source files.
        settings_digest: digest of the settings that can change the weights.
        versions: package -> version.
        fit: the fit's rules.
        validation: metrics on the validation scenes.
        fold_table: plant block -> fold, empty where nothing was folded.
        data_tier: what it was trained on, such as SYNTHETIC-T1.
    """

    command: str
    run_id: str
    seed: int
    scenes: int
    validation_scenes: int
    epochs: int
    generator_sha256: str
    settings_digest: str
    versions: dict[str, str]
    fit: dict[str, Any]
    validation: dict[str, float]
    fold_table: dict[str, int] = field(default_factory=dict)
    data_tier: str = "SYNTHETIC-T1"


@dataclass(frozen=True)
class Bundle:
    """A saved model with everything needed to use it.

    Attributes:
        model: name in the registry.
        config: the network's shape.
        encoding: channels, input scaling, target transform, q_max_kg_s.
        cut: relative emission at and above which a pixel is a detection, chosen on validation scenes.
        lineage: how it came about.
        tensors: weights by name.
    """

    model: str
    config: dict[str, Any]
    encoding: dict[str, Any]
    cut: float
    lineage: Lineage
    tensors: dict[str, NDArray[Any]]


def packaged_bundle_url(name: str) -> str:
    """URL of a bundle that ships with the package, such as 'unet'.

    Raises:
        ContractError: none of that name ships.
    """
    root = resources.files("carbonray") / "bundles"
    shipped = sorted(entry.name for entry in root.iterdir() if (entry / MANIFEST).is_file()) if root.is_dir() else []
    if name not in shipped:
        raise _refusal(f"no bundle {name!r} ships with the package", name, f"one of {shipped}", "Name one of them.")
    return f"file://{root / name}"


def save_bundle(url: str, bundle: Bundle) -> str:
    """Writes a bundle, weights first and digest last; the same bundle gives the same bytes.

    Returns:
        The bundle's sha256, to pin it by.

    Raises:
        ConflictError: another bundle is there.
    """
    objects = bundle_objects(bundle)
    for name, data in objects.items():
        put_once(join(url, name), data)
    return sha256(objects[MANIFEST])


def bundle_objects(bundle: Bundle) -> dict[str, bytes]:
    """The objects of a bundle by their name in its folder, weights first and digest last."""
    tensors = {name: np.asarray(value, order="C") for name, value in sorted(bundle.tensors.items())}
    weights = safetensors.numpy.save(tensors)
    facts = {f.name: getattr(bundle, f.name) for f in fields(bundle) if f.name not in ("tensors", "lineage")}
    document = facts | {
        "format_version": FORMAT_VERSION,
        "lineage": asdict(bundle.lineage),
        "weights": {"file": WEIGHTS, "sha256": sha256(weights), "tensors": _shapes(tensors)},
    }
    manifest = json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
    return {WEIGHTS: weights, MANIFEST: manifest, DIGEST: f"{sha256(manifest)}  {MANIFEST}\n".encode()}


def bundle_sha256(url: str) -> str:
    """The bundle's digest, of its JSON, without reading the weights."""
    return sha256(read_bytes(join(url, MANIFEST)))


def open_bundle(url: str, expected_sha256: str | None = None) -> Bundle:
    """Reads a bundle and checks all of it.

    Args:
        url: folder of the bundle.
        expected_sha256: the pin, where the caller has one; the bundle's own digest file is checked in any case.

    Raises:
        ContractError: a digest is wrong, the JSON is not a bundle's, or the weights are not the safetensors it lists.
        DataError: there is no bundle.
    """
    manifest = read_bytes(join(url, MANIFEST))
    digest = sha256(manifest)
    recorded = read_bytes(join(url, DIGEST)).decode(errors="replace").split(" ")[0]
    for pin in (recorded, expected_sha256 or digest):
        if pin != digest:
            raise _refusal("the bundle's digest is wrong", join(url, MANIFEST), f"sha256 {pin}, found {digest}")
    document = _checked_document(parsed_json(manifest, where=join(url, MANIFEST)), join(url, MANIFEST))
    listed = document["weights"]
    weights = read_bytes(join(url, listed["file"]))
    if sha256(weights) != listed["sha256"]:
        expected = f"sha256 {listed['sha256']}, found {sha256(weights)}"
        raise _refusal("the weights' digest is wrong", join(url, WEIGHTS), expected)
    tensors = _checked_tensors(weights, listed["tensors"], join(url, WEIGHTS))
    lineage = Lineage(**document["lineage"])
    return Bundle(document["model"], document["config"], document["encoding"], document["cut"], lineage, tensors)


def _checked_document(document: Any, where: str) -> dict[str, Any]:
    kinds = {"cut": float, "config": dict, "encoding": dict, "format_version": int, "lineage": dict, "model": str}
    kinds["weights"] = dict
    if not isinstance(document, dict) or set(document) != set(kinds):
        raise _refusal("the JSON is not a bundle's", where, f"an object with exactly the keys {sorted(kinds)}")
    wrong = sorted(name for name, kind in kinds.items() if not isinstance(document[name], kind))
    if wrong or document["format_version"] != FORMAT_VERSION or not 0.0 <= document["cut"] <= 1.0:
        expected = f"format_version {FORMAT_VERSION}, a cut in 0 to 1, and the types bundles have (wrong: {wrong})"
        raise _refusal("the JSON holds values no bundle has", where, expected)
    known = {f.name for f in fields(Lineage)}
    if set(document["lineage"]) != known:
        raise _refusal("the lineage is incomplete", where, f"exactly the keys {sorted(known)}")
    weights = document["weights"]
    if set(weights) != {"file", "sha256", "tensors"} or weights["file"] != WEIGHTS:
        expected = f"a file named {WEIGHTS!r} in the bundle's own folder, its sha256 and its tensors"
        raise _refusal(f"the manifest points at {weights.get('file')!r}", where, expected)
    return document


def _checked_tensors(weights: bytes, listed: Mapping[str, Any], where: str) -> dict[str, NDArray[Any]]:
    size = int.from_bytes(weights[:8], "little")
    if len(weights) < 8 or size > min(MAX_HEADER_BYTES, len(weights) - 8) or weights[8:9] != b"{":
        raise _refusal("the weights are not safetensors", where, "a file that starts with a safetensors header")
    try:
        tensors: dict[str, NDArray[Any]] = safetensors.numpy.load(weights)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise _refusal(f"the weights cannot be read ({error})", where, "a whole safetensors file") from error
    if _shapes(tensors) != listed:
        raise _refusal("tensors differ from those the manifest lists", where, f"exactly {sorted(listed)[:6]} ...")
    return tensors


def _shapes(tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    names = {dtype: name for name, dtype in DTYPES.items()}
    return {
        name: {"dtype": names.get(a.dtype, str(a.dtype)), "shape": list(a.shape)} for name, a in sorted(tensors.items())
    }


def _refusal(what: str, where: str, expected: str, remedy: str = _TRAIN_AGAIN) -> ContractError:
    return ContractError(what, where=where, expected=expected, remedy=remedy)
