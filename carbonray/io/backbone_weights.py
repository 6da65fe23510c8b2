"""Published weights of convolutional trunks as arrays: one .safetensors file in, tensors by name out.

No checkpoint that can execute code is opened: `.pt`, `.pth`, `.ckpt`, `.pkl` and `.bin` are pickles, and are refused by
what they hold and not only by their name; HDF5 and TensorFlow files are refused too. Convert them once, elsewhere:
`safetensors.torch.save_file(torch.load(FILE, weights_only=True))` for PyTorch,
`safetensors.numpy.save_file({w.path: w.numpy() for w in model.weights}, FILE)` for Keras, and
`safetensors.numpy.save_file({n: reader.get_tensor(n) for n, _ in tf.train.list_variables(FILE)}, OUT)` with
`reader = tf.train.load_checkpoint(FILE)` for TF-Slim (BigEarthNet's authors). Names stay as the file has them:
`carbonray.models.backbones` knows torchvision's, Keras' and Slim's.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.io.objectstore import read_bytes, sha256

FLOATS = ("float16", "float32", "float64")
_FORMATS = {  # how a file starts -> what it is
    b"PK": "a zip file, as torch.save and Keras write it",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x89HDF": "an HDF5 file, as Keras wrote it",
}


@dataclass(frozen=True)
class BackboneWeights:
    """Tensors of a checkpoint.

    Attributes:
        tensors: float32 arrays by the file's own names; integers, such as step counts, are left out.
        sha256: of the file, kept with every model that starts from it.
    """

    tensors: dict[str, NDArray[np.float32]]
    sha256: str


def read_backbone(url: str, expected_sha256: str | None = None) -> BackboneWeights:
    """Reads the weights at a URL.

    Raises:
        ContractError: the file is no safetensors, is another than the one pinned, or holds no floats.
        DataError: there is no file.
    """
    if not url.endswith(".safetensors"):
        raise _refusal(f"the file is not called .safetensors: {url.rpartition('/')[2]!r}", url)
    data = read_bytes(url)
    digest = sha256(data)
    if expected_sha256 not in (None, digest):
        raise _refusal(f"the file's sha256 is {digest}, pinned is {expected_sha256}", url)
    tensors = {
        name: value.astype(np.float32) for name, value in _tensors(data, url).items() if value.dtype.name in FLOATS
    }
    if not tensors:
        raise _refusal("the file holds no floating-point tensors", url)
    return BackboneWeights(tensors, digest)


def _tensors(data: bytes, url: str) -> dict[str, NDArray[Any]]:
    for start, what in _FORMATS.items():
        # a safetensors file starts with the length of its header, whose upper bytes are zero, and a brace
        if data.startswith(start) and data[8:9] != b"{":
            raise _refusal(f"the file is {what}", url)
    try:
        tensors: dict[str, NDArray[Any]] = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError) as error:
        raise _refusal(f"the file is no whole safetensors of floats ({error})", url) from error
    return tensors


def _refusal(what: str, url: str) -> ContractError:
    return ContractError(
        what,
        where=url,
        expected="a .safetensors file with the weights of the trunk that is trained",
        remedy="Convert the checkpoint once, away from this program (see carbonray/io/backbone_weights.py).",
    )
