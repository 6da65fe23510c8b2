"""Self-similar noise: the shapes of fields, clouds and eddies, as periodic textures that are sampled anywhere.

Source: SCIENCE 4.13 (puff turbulence as self-similar noise). A texture is (n, n) float32 of zero mean and unit
variance whose power falls with the wavenumber to minus `slope`; it repeats itself, so any coordinate may be asked for.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Field = NDArray[np.float32]


def texture(rng: np.random.Generator, slope: float, size: int = 256, longest: float = np.inf) -> Field:
    """A texture: white noise whose amplitude follows k^(-slope / 2), without waves longer than `longest` cells."""
    wave = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    wave[(wave < 1.0 / longest) | (wave == 0.0)] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * wave ** (-slope / 2)
    field = np.fft.irfft2(spectrum, s=(size, size))
    return np.asarray(field / field.std(), np.float32)


def sampled(field: Field, rows: Field, cols: Field) -> Field:
    """A texture at fractional cells, linear between them."""
    found = map_coordinates(field, np.broadcast_arrays(rows, cols), order=1, mode="grid-wrap")
    return np.asarray(found, np.float32)
