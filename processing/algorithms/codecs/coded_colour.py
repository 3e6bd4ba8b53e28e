"""Colour that a file states by numbers instead of a profile (CICP, nclx, gAMA and cHRM, DCF), converted to sRGB.

Where a file states its colour more than once: PNG goes by cICP, iCCP, sRGB, then gAMA and cHRM (PNG third edition,
4.3); AVIF and HEIC by the profile, then nclx (as libavif does); JPEG by the profile, then by what DCF says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import cv2
import numpy as np
from PIL import ExifTags, Image

from processing.algorithms.codecs.iso_boxes import read_properties
from processing.algorithms.codecs.png_chunks import chunks

_STRIP_ROWS = 256
_UNSPECIFIED = 2
_SRGB_TRANSFER, _PQ, _HLG = 13, 16, 18
_UNCALIBRATED = 0xFFFF
HIGH_DYNAMIC_RANGE = (
    "The image has a high dynamic range ({name}); its brightest parts were darkened to fit into sRGB."
)
UNKNOWN_CODES = "The colour is stated by code points that are not defined ({codes}); sRGB was assumed."

# x and y of red, green, blue and white. ITU-T H.273 (2021), table 2.
_D65, _C, _E = (0.3127, 0.3290), (0.310, 0.316), (1 / 3, 1 / 3)
Chromaticities = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
_BT709: Chromaticities = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)
_SMPTE170M: Chromaticities = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
_PRIMARIES: dict[int, Chromaticities] = {
    1: _BT709,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: _SMPTE170M,
    7: _SMPTE170M,
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), _E),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_ADOBE_RGB: Chromaticities = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
_ADOBE_GAMMA = 563 / 256

# ITU-R BT.2408: the luminance of white paper in a picture of high dynamic range, here the white of sRGB; in cd/m².
_WHITE = 203.0
_PQ_PEAK, _HLG_PEAK, _HLG_GAMMA = 10_000.0, 1_000.0, 1.2
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_BINS = 1 << 16  # of light, 0 to the peak of PQ, by its fourth root
_BRIGHTEST_SHARE = 1e-4  # so many pixels may be brighter than what counts as the peak of an image


def _pq_to_light(values: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084 (H.273, table 3, value 16): 0 to 1 to cd/m²."""
    powered = values ** (1 / _M2)
    light: np.ndarray = _PQ_PEAK * (np.maximum(powered - _C1, 0) / (_C2 - _C3 * powered)) ** (1 / _M1)
    return light


def _light_to_pq(light: np.ndarray) -> np.ndarray:
    """The inverse of `_pq_to_light`."""
    powered = np.clip(light / _PQ_PEAK, 0, 1) ** _M1
    values: np.ndarray = ((_C1 + _C2 * powered) / (1 + _C3 * powered)) ** _M2
    return values


def _hlg_to_scene(values: np.ndarray) -> np.ndarray:
    """ARIB STD-B67 (H.273, table 3, value 18): 0 to 1 to the light of the scene, 0 to 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene: np.ndarray = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    return scene


def _piecewise(slope: float, offset: float, power: float, limit: float) -> Callable[[np.ndarray], np.ndarray]:
    """The inverse of V = (1 + offset) L^power − offset above a limit of V, V = slope L below it."""

    def to_light(values: np.ndarray) -> np.ndarray:
        above = (np.maximum(values + offset, 0) / (1 + offset)) ** (1 / power)
        return np.where(values < limit, values / slope, above)

    return to_light


def _power(exponent: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: values**exponent


def _logarithmic(decades: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: np.where(values > 0, 10 ** (decades * (values - 1)), 0.0)


_BT709_CURVE = _piecewise(4.5, 0.099296826809442, 0.45, 4.5 * 0.018053968510807)
_SRGB_CURVE = _piecewise(12.92, 0.055, 1 / 2.4, 0.04045)
# ITU-T H.273 (2021), table 3, each turned round: coded values 0 to 1 to light, 1 = white; of HLG that of the scene.
_TRANSFERS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), _BT709_CURVE),
    4: _power(2.2),
    5: _power(2.8),
    7: _piecewise(4.0, 0.1115, 0.45, 4 * 0.0228),
    8: _power(1.0),
    9: _logarithmic(2.0),
    10: _logarithmic(2.5),
    _SRGB_TRANSFER: _SRGB_CURVE,
    _PQ: lambda values: _pq_to_light(values) / _WHITE,
    17: lambda values: 52.37 / 48 * values**2.6,
    _HLG: _hlg_to_scene,
}


@dataclass(frozen=True)
class CodedColour:
    """What colours of a file mean.

    Attributes:
        primaries: chromaticities of red, green, blue and white.
        transfer: a code point of H.273, table 3.
        gamma: the exponent that makes coded values light, instead of `transfer`.
        is_narrow: black and white are coded as in video (16 and 235 of 255).
        notes: sentences for the user.
    """

    primaries: Chromaticities = _BT709
    transfer: int = _SRGB_TRANSFER
    gamma: float | None = None
    is_narrow: bool = False
    notes: tuple[str, ...] = ()

    @property
    def is_srgb(self) -> bool:
        is_same = self.primaries == _BT709 and self.transfer == _SRGB_TRANSFER
        return is_same and self.gamma is None and not self.is_narrow

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """Convert pixels to sRGB. Colours outside of sRGB are cut to its nearest values, channel by channel.

        PQ and HLG are mapped to the range of sRGB: 203 cd/m² (ITU-R BT.2408) is the white of sRGB, and what is
        brighter is compressed by the curve of ITU-R BT.2390-10, 5.4.1, from the peak of the image: the highest of a
        pixel's three channels is mapped, and the others keep their proportion to it. HLG is shown as on a display of
        1,000 cd/m² (ITU-R BT.2100, gamma 1.2).

        Args:
            pixels: uint8 or uint16, RGB (H, W, 3) or grey (H, W), of which only the curve counts.

        Returns:
            A new array of the same shape and type.

        Source: ITU-T H.273 (2021), tables 2 and 3; white by the Bradford transform, as ICC profiles do; IEC 61966-2-1.
        """
        top = int(np.iinfo(pixels.dtype).max)
        curve = self._curve(top)
        matrix = None if pixels.ndim == 2 or self.primaries == _BT709 else _to_bt709(self.primaries)
        weights = _rgb_to_xyz(self.primaries)[1]
        factors: np.ndarray | None = None
        if self.gamma is None and self.transfer in (_PQ, _HLG):
            factors = _factors(self._peak(pixels, curve, matrix, weights))
        result = np.empty_like(pixels)
        for rows in _strips(len(pixels)):
            light = self._light(pixels[rows], curve, matrix, weights)
            if factors is not None:
                factor = factors[_bins(_brightest(light))]
                light *= factor[..., None] if light.ndim == 3 else factor
            result[rows] = _encoded(light, top)
        return result

    def _curve(self, top: int) -> np.ndarray:
        """The light of each coded value, float32 (top + 1,)."""
        values = np.arange(top + 1, dtype=np.float64) / top
        if self.is_narrow:  # H.273, 8.3: 16 and 235 of 255, in the same places of more bits
            step = (top + 1) / 256
            values = np.clip((values * top - 16 * step) / (219 * step), 0, 1)
        to_light = _TRANSFERS[self.transfer] if self.gamma is None else _power(self.gamma)
        return to_light(values).astype(np.float32)

    def _light(
        self, pixels: np.ndarray, curve: np.ndarray, matrix: np.ndarray | None, weights: np.ndarray
    ) -> np.ndarray:
        """Linear light in the primaries of sRGB, 1 = white, without what is below black."""
        light: np.ndarray = np.take(curve, pixels)
        if self.transfer == _HLG and self.gamma is None:
            bright = cv2.transform(light, weights[None]) if light.ndim == 3 else light
            gain = _HLG_PEAK / _WHITE * bright ** np.float32(_HLG_GAMMA - 1)
            light = light * (gain[..., None] if light.ndim == 3 else gain)
        if matrix is not None:
            light = cv2.transform(light, matrix)
        light = np.maximum(light, 0)
        return light

    def _peak(
        self, pixels: np.ndarray, curve: np.ndarray, matrix: np.ndarray | None, weights: np.ndarray
    ) -> float:
        """The light of the brightest pixels, 1 = white of sRGB; one in 10,000 may be brighter."""
        counts = np.zeros(_BINS, np.int64)
        for rows in _strips(len(pixels)):
            places = _bins(_brightest(self._light(pixels[rows], curve, matrix, weights)))
            counts += np.bincount(places.ravel(), minlength=_BINS)
        as_bright = np.cumsum(counts[::-1])[::-1]  # pixels in a bin and above
        highest = int(np.flatnonzero(as_bright > _BRIGHTEST_SHARE * counts.sum())[-1])
        return float(_lights()[highest])


def read_coded_colour(image: Image.Image, stream: BinaryIO | None, *, name: str) -> CodedColour | None:
    """What an opened file states of its colour by numbers; None where a profile counts or it is sRGB.

    Args:
        image: the opened image.
        stream: the file behind it; a JPEG needs none.
        name: its format, a key of `FORMATS`.
    """
    found: CodedColour | None = None
    has_profile = bool(image.info.get("icc_profile"))
    if name == "png" and stream is not None:
        found = _of_cicp(stream) or (None if has_profile else _of_gamma(image))
    elif name in ("avif", "heic") and stream is not None and not has_profile:
        nclx = read_properties(stream).nclx
        found = None if nclx is None else _of_codes(nclx[0], nclx[1])
    elif name == "jpg" and not has_profile:
        found = _of_dcf(image)
    return None if found is None or (found.is_srgb and not found.notes) else found


def _of_cicp(stream: BinaryIO) -> CodedColour | None:
    """PNG third edition, 11.3.2.6: primaries, transfer, matrix (always 0: RGB), full range or not."""
    for name, content in chunks(stream, names=frozenset({b"cICP", b"IDAT"})):
        if name == b"IDAT":
            return None
        if len(content) == 4 and content[2] == 0:
            return _of_codes(content[0], content[1], is_narrow=content[3] == 0)
    return None


def _of_codes(primaries: int, transfer: int, *, is_narrow: bool = False) -> CodedColour:
    notes: list[str] = []
    unknown = [
        f"{what} {code}"
        for what, code, known in (("primaries", primaries, _PRIMARIES), ("transfer", transfer, _TRANSFERS))
        if code not in known and code != _UNSPECIFIED
    ]
    if unknown:
        notes.append(UNKNOWN_CODES.format(codes=", ".join(unknown)))
        primaries, transfer = 1, _SRGB_TRANSFER
    if transfer in (_PQ, _HLG):
        notes.append(HIGH_DYNAMIC_RANGE.format(name="PQ" if transfer == _PQ else "HLG"))
    return CodedColour(
        _PRIMARIES.get(primaries, _BT709),
        transfer if transfer in _TRANSFERS else _SRGB_TRANSFER,
        is_narrow=is_narrow,
        notes=tuple(notes),
    )


def _of_gamma(image: Image.Image) -> CodedColour | None:
    """gAMA and cHRM (PNG third edition, 11.3.2.1 and 11.3.2.2), which count where no sRGB chunk is there."""
    if "srgb" in image.info:
        return None
    stored = image.info.get("gamma", 0.0)
    is_usable = 0.01 <= stored <= 100
    # Within 5 %, as libpng decides: 0.45455 is the customary way to write that a PNG is sRGB.
    gamma = 1 / stored if is_usable and abs(stored * 2.2 - 1) > 0.05 else None
    return CodedColour(_chromaticities(image.info.get("chromaticity")), gamma=gamma)


def _chromaticities(stated: tuple[float, ...] | None) -> Chromaticities:
    """Those of a cHRM chunk (white first); those of sRGB where they are missing, nearly the same or impossible."""
    if stated is None or len(stated) != 8:
        return _BT709
    white, red, green, blue = ((stated[place], stated[place + 1]) for place in (0, 2, 4, 6))
    found: Chromaticities = (red, green, blue, white)
    if np.abs(np.subtract(found, _BT709)).max() < 0.0015:
        return _BT709
    is_triangle = abs(np.linalg.det([[x, y, 1 - x - y] for x, y in found[:3]])) > 1e-4
    # With white inside of the triangle every primary has a positive share of it.
    if not is_triangle or white[1] <= 0 or _rgb_to_xyz(found)[1].min() <= 0:
        return _BT709
    return found


def _of_dcf(image: Image.Image) -> CodedColour | None:
    """Adobe RGB as cameras say it without a profile: no sRGB in EXIF, and "R03" (DCF 2.0, 5.5)."""
    try:
        exif = Image.Image.getexif(image)
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        option = exif.get_ifd(ExifTags.IFD.Interop).get(1)
    except MemoryError:
        raise
    except Exception:  # broken EXIF says nothing
        return None
    is_adobe = space in (2, _UNCALIBRATED) and str(option).strip("\x00 ") == "R03"
    return CodedColour(_ADOBE_RGB, gamma=_ADOBE_GAMMA) if is_adobe else None


def _strips(height: int) -> list[slice]:
    return [slice(top, top + _STRIP_ROWS) for top in range(0, height, _STRIP_ROWS)]


def _brightest(light: np.ndarray) -> np.ndarray:
    brightest: np.ndarray = light.max(axis=2) if light.ndim == 3 else light
    return brightest


def _bins(light: np.ndarray) -> np.ndarray:
    """The bin of each light, uint16; the fourth root is near to how PQ spreads light, and quickly computed."""
    share = np.minimum(light * np.float32(_WHITE / _PQ_PEAK), 1)
    bins: np.ndarray = np.rint(np.sqrt(np.sqrt(share)) * (_BINS - 1)).astype(np.uint16)
    return bins


def _lights() -> np.ndarray:
    """The light in the middle of each bin, float64, 1 = white of sRGB."""
    lights: np.ndarray = (np.arange(_BINS) / (_BINS - 1)) ** 4 * (_PQ_PEAK / _WHITE)
    return lights


def _factors(peak: float) -> np.ndarray:
    """By what to multiply the light of each bin, so that 0 to peak becomes 0 to 1; float32.

    Source: ITU-R BT.2390-10, 5.4.1, with black at 0.
    """
    if peak <= 1:
        return np.ones(_BINS, np.float32)
    lights = _lights()
    white, highest = (float(_light_to_pq(np.array(level * _WHITE))) for level in (1.0, peak))
    most = white / highest
    knee = 1.5 * most - 0.5
    given = np.minimum(_light_to_pq(lights * _WHITE) / highest, 1)
    part = np.maximum(given - knee, 0) / (1 - knee)
    spline = (
        (2 * part**3 - 3 * part**2 + 1) * knee
        + (part**3 - 2 * part**2 + part) * (1 - knee)
        + (-2 * part**3 + 3 * part**2) * most
    )
    mapped = _pq_to_light(spline * highest) / _WHITE
    factors = np.ones_like(lights)
    np.divide(mapped, lights, out=factors, where=given > knee)
    return factors.astype(np.float32)


def _encoded(light: np.ndarray, top: int) -> np.ndarray:
    """Linear light to the coded values of sRGB (IEC 61966-2-1), 0 to top; uint8 by a table of 65,536 lights."""
    light = np.minimum(light, 1)
    encoded: np.ndarray
    if top == 255:
        encoded = _table()[np.rint(light * 65_535).astype(np.uint16)]
    else:
        encoded = np.rint(_srgb_values(light) * top).astype(np.uint16)
    return encoded


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """uint8 (65536,): the coded value of each light."""
    table: np.ndarray = np.rint(_srgb_values(np.arange(65_536) / 65_535) * 255).astype(np.uint8)
    return table


def _srgb_values(light: np.ndarray) -> np.ndarray:
    values: np.ndarray = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return values


def _to_bt709(primaries: Chromaticities) -> np.ndarray:
    """Float64 (3, 3): linear RGB of these primaries to linear RGB of BT.709, white to white."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    source, target = (_rgb_to_xyz(each) for each in (primaries, _BT709))
    cones = [bradford @ space.sum(axis=1) for space in (source, target)]
    adapted = np.linalg.inv(bradford) @ np.diag(cones[1] / cones[0]) @ bradford
    matrix: np.ndarray = np.linalg.inv(target) @ adapted @ source
    return matrix


def _rgb_to_xyz(primaries: Chromaticities) -> np.ndarray:
    """Float64 (3, 3): linear RGB to CIE XYZ, white at Y = 1; the second row holds the weights of luminance."""
    columns = np.array([[x, y, 1 - x - y] for x, y in primaries[:3]]).T
    white_x, white_y = primaries[3]
    white = np.array([white_x, white_y, 1 - white_x - white_y]) / white_y
    matrix: np.ndarray = columns * np.linalg.solve(columns, white)
    return matrix
