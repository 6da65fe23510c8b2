"""What the sun, the air, the sensor and the archive do to a picture of a synthetic city.

Source: SCIENCE 1.8, point 4 (fixed sun, gain of 15 %, haze, noise like JPEG's, season); numbers are inferred. Colours
are (3, y, x) float32, 0 to 255; pictures (3, y, x) uint8 from 1, since 0 marks pixels without a picture.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.city.fields import Field

_HAZE_COLOUR = np.array([196.0, 204.0, 214.0], np.float32)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_DCT = 8  # pixels along a block of JPEG
_SHADOW_STEPS = 9


@dataclass(frozen=True)
class PhotographRules:
    """How a city is photographed; numbers are inferred.

    Attributes:
        sun_azimuth_deg: of a sun in the south-east, clockwise from north.
        sun_elevation_deg: above the horizon.
        tallest_m: shadows of taller buildings are cut.
        dark: brightness in shadow.
        exposure: brightness of the archive's pictures over that of the palettes.
        gain: largest relative departure from it.
        haze: largest share of the light that is haze.
        sky_km: distance over which both change.
        noise: of a pixel, of 255.
        jpeg_step: quantisation step of the archive's brightness, of 255; 0 for none.
        visible: kappa_img: share of cells whose picture tells of the cell; the others' show a city that is not there.
    """

    sun_azimuth_deg: float = 142.0
    sun_elevation_deg: float = 46.0
    tallest_m: float = 48.0
    dark: float = 0.52
    exposure: float = 1.12
    gain: float = 0.15
    haze: float = 0.16
    sky_km: float = 7.0
    noise: float = 2.0
    jpeg_step: float = 9.0
    visible: float = 1.0

    @property
    def shadow_reach_m(self) -> tuple[float, float]:
        """How far to the south and to the east a shadow's cause may stand."""
        reach = self.tallest_m / np.tan(np.deg2rad(self.sun_elevation_deg))
        turn = np.deg2rad(self.sun_azimuth_deg)
        return float(-reach * np.cos(turn)), float(reach * np.sin(turn))


def shadows(height: Field, step_m: tuple[float, float], keep: tuple[slice, slice], rules: PhotographRules) -> Field:
    """(y, x) brightness of the kept north-western part of a height map: 1 in the sun, `dark` in a shadow."""
    rows, cols = keep[0].stop, keep[1].stop
    shaded = np.zeros((rows, cols), bool)
    ground = height[keep] + np.float32(1.0)
    for share in (np.arange(_SHADOW_STEPS) + 1) / _SHADOW_STEPS:
        down, right = (round(share * reach / by) for reach, by in zip(rules.shadow_reach_m, step_m, strict=True))
        caster = height[down : down + rows, right : right + cols]
        shaded |= caster > ground + np.float32(share * rules.tallest_m)
    return np.where(shaded, np.float32(rules.dark), np.float32(1.0))


def photographed(colours: Field, gain: Field, haze: Field, grain: Field, rules: PhotographRules) -> NDArray[np.uint8]:
    """(3, y, x) uint8 picture of (3, y, x) colours under (y, x) gain, haze and unit noise."""
    clear, noise = gain * (np.float32(1.0) - haze), np.float32(rules.noise) * grain
    seen = np.stack([each * clear + haze * hue + noise for each, hue in zip(colours, _HAZE_COLOUR, strict=True)])
    rows, cols = grain.shape
    if rules.jpeg_step and rows % _DCT == 0 and cols % _DCT == 0:
        luma = sum(weight * each for weight, each in zip(_LUMA, seen, strict=True))
        seen += _archived(np.asarray(luma, np.float32), np.float32(rules.jpeg_step))
    return np.asarray(np.clip(np.rint(seen), 1.0, 255.0), np.uint8)


def _archived(luma: Field, step: np.float32) -> Field:
    """(y, x) what is lost when the brightness is stored as rounded cosines of 8 x 8 pixels."""
    order = np.arange(_DCT)
    basis = np.cos(np.pi * (order[None, :] + 0.5) * order[:, None] / _DCT) * np.sqrt(2.0 / _DCT)
    basis[0] /= np.sqrt(2.0)
    turn = basis.astype(np.float32)
    coarse = step * (np.float32(1.0) + np.add.outer(order, order).astype(np.float32) / np.float32(4.0))
    waves = _turned(luma, turn)
    steps = np.tile(coarse, (luma.shape[0] // _DCT, luma.shape[1] // _DCT))
    return _turned(np.rint(waves / steps) * steps - waves, turn.T)


def _turned(field: Field, turn: Field) -> Field:
    """Each block of 8 x 8 pixels under a change of basis along both its sides."""
    rows, cols = field.shape
    along = (field.reshape(-1, _DCT) @ turn.T).reshape(rows // _DCT, _DCT, cols)
    return np.asarray((turn @ along).reshape(rows, cols), np.float32)
