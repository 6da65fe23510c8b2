"""Random numbers of a scene: one generator a scene, so that a scene is the same whatever batch it is drawn in.

Source: HOUSE "Decided", seeds from `SeedSequence((seed, unit key))`. Uniforms are drawn once a scene and handed out
in columns, so that what is made of them is array work over the batch. Arrays are (scene, ...).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

_UNIFORMS = 320  # columns a scene; the rooms use fewer, and asking for more is an error


@dataclass
class SceneVariates:
    """Generators of n scenes and their uniforms, handed out from the left."""

    generators: list[np.random.Generator]
    uniforms: F64
    used: int = 0

    @classmethod
    def of(cls, seed: int, tag: str, indices: NDArray[np.int64]) -> "SceneVariates":
        """Generators keyed by (seed, tag, index): tag names the generator, so that g1 and g2 never share a stream."""
        key = int.from_bytes(tag.encode(), "big")
        generators = [np.random.default_rng(np.random.SeedSequence((seed, key, int(i)))) for i in indices]
        uniforms = np.empty((len(generators), _UNIFORMS))
        for row, generator in zip(uniforms, generators, strict=True):
            generator.random(out=row)
        return cls(generators, uniforms)

    def column(self) -> F64:
        """(scene,) numbers in [0, 1)."""
        return self.columns(1)[:, 0]

    def columns(self, count: int) -> F64:
        """(scene, count) numbers in [0, 1)."""
        first, self.used = self.used, self.used + count
        if self.used > self.uniforms.shape[1]:
            raise IndexError(f"a scene has {self.uniforms.shape[1]} uniforms, {self.used} were asked for")
        return self.uniforms[:, first : self.used]

    def between(self, limits: tuple[float, float]) -> F64:
        """(scene,) uniform between two limits."""
        return limits[0] + (limits[1] - limits[0]) * self.column()

    def normal(self) -> F64:
        """(scene,) standard normal numbers."""
        return np.asarray(ndtri(np.clip(self.column(), 1e-12, 1.0)), np.float64)

    def normals(self, shape: tuple[int, ...]) -> F32:
        """(scene, *shape) standard normal numbers, straight from each scene's generator."""
        values = np.empty((len(self.generators), *shape), np.float32)
        for row, generator in zip(values, self.generators, strict=True):
            generator.standard_normal(out=row, dtype=np.float32)
        return values


def log_between(uniform: F64, limits: tuple[float, float]) -> F64:
    """Log-uniform numbers between two positive limits from uniforms in [0, 1)."""
    return limits[0] * (limits[1] / limits[0]) ** uniform
