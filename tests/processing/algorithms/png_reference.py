"""A straightforward PNG decoder, written from the specification alone: what ours is compared with."""

import struct
import zlib

import numpy as np

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def decode_png(data: bytes) -> tuple[np.ndarray, np.ndarray | None, int]:
    """(colour, alpha, depth): colour as float 0 to 255, (H, W) or (H, W, 3); alpha likewise or None."""
    chunks = _chunks(data)
    width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", chunks["IHDR"])
    raw = zlib.decompress(chunks["IDAT"])
    samples = np.zeros((height, width, _CHANNELS[kind]), dtype=np.int64)
    position = 0
    for x, y, step_x, step_y in _ADAM7 if interlace else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // step_x), -(-(height - y) // step_y)
        if columns > 0 and rows > 0:
            part, position = _scanlines(raw, position, columns, rows, depth, _CHANNELS[kind])
            samples[y::step_y, x::step_x] = part
    colour, alpha = _meaning(samples, chunks, kind, depth)
    return _shown(colour, chunks), alpha, depth


def _shown(colour: np.ndarray, chunks: dict[str, bytes]) -> np.ndarray:
    """In sRGB, where gAMA tells of another curve (an image of the customary 0.45 counts as sRGB)."""
    gamma = int.from_bytes(chunks.get("gAMA", b"")) / 100_000
    if not gamma or abs(gamma - 0.4545) < 0.02:
        return colour
    light = (colour / 255) ** (1 / gamma)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _chunks(data: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    position = 8
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        name = data[position + 4 : position + 8].decode()
        found[name] = found.get(name, b"") + data[position + 8 : position + 8 + length]
        position += 12 + length
    return found


def _scanlines(
    raw: bytes, position: int, width: int, height: int, depth: int, channels: int
) -> tuple[np.ndarray, int]:
    row_bytes = (width * channels * depth + 7) // 8
    pixel_bytes = max(1, channels * depth // 8)
    previous = [0] * row_bytes
    rows = []
    for _ in range(height):
        line = list(raw[position + 1 : position + 1 + row_bytes])
        _unfilter(raw[position], line, previous, pixel_bytes)
        rows.append(_samples(bytes(line), depth)[: width * channels])
        previous, position = line, position + 1 + row_bytes
    return np.array(rows).reshape(height, width, channels), position


def _unfilter(method: int, line: list[int], above: list[int], step: int) -> None:
    for i in range(len(line)):
        left = line[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        line[i] = (
            line[i] + (0, left, above[i], (left + above[i]) // 2, _paeth(left, above[i], corner))[method]
        ) & 255


def _paeth(left: int, above: int, corner: int) -> int:
    return min((left, above, corner), key=lambda value: abs(left + above - corner - value))


def _samples(line: bytes, depth: int) -> np.ndarray:
    if depth == 16:
        return np.frombuffer(line, ">u2").astype(np.int64)
    bits = np.unpackbits(np.frombuffer(line, np.uint8)).reshape(-1, depth)
    return bits @ (1 << np.arange(depth - 1, -1, -1))


def _meaning(
    samples: np.ndarray, chunks: dict[str, bytes], kind: int, depth: int
) -> tuple[np.ndarray, np.ndarray | None]:
    if kind == 3:
        palette = np.frombuffer(chunks["PLTE"], np.uint8).reshape(-1, 3)
        index = samples[:, :, 0]
        opacity = np.full(256, 255)
        opacity[: len(chunks.get("tRNS", b""))] = list(chunks.get("tRNS", b""))
        return palette[index].astype(float), opacity[index] if "tRNS" in chunks else None
    scale = 255 / (2**depth - 1)
    colours = samples[:, :, : 1 if kind in (0, 4) else 3]
    alpha = None
    if kind in (4, 6):
        alpha = samples[:, :, -1] * scale
    elif "tRNS" in chunks:
        key = np.frombuffer(chunks["tRNS"], ">u2")
        alpha = np.where((colours == key).all(axis=2), 0, 255)
    return (colours * scale)[:, :, 0] if colours.shape[2] == 1 else colours * scale, alpha
