"""Mirror, turn and cut a JPEG, and take its metadata away, without decoding it: nothing is compressed a second time.

A JPEG is a grid of blocks of frequencies. Turning the grid and each block moves every pixel exactly, as long as no
block at an edge is filled only in part: then this says so, and the caller has to encode anew.
"""

import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

_BLOCK = 8
# Odd frequencies change their sign when a block is mirrored.
_SIGNS = np.array([1, -1] * 4, np.int16)
_BASELINE_TO_PROGRESSIVE = (0xC0, 0xC1, 0xC2)
_APP0, _APP14, _APP15, _COMMENT, _SCAN, _END = 0xE0, 0xEE, 0xEF, 0xFE, 0xDA, 0xD9
_STANDALONE = (0x01, *range(0xD0, 0xD9))


@dataclass(frozen=True)
class Move:
    """One exact move of all pixels; `box` is x, y, width and height in px."""

    kind: Literal["mirror", "upend", "transpose", "crop"]
    box: tuple[int, int, int, int] = (0, 0, 0, 0)


MIRROR, UPEND, TRANSPOSE = Move("mirror"), Move("upend"), Move("transpose")
UPRIGHT: dict[int, tuple[Move, ...]] = {  # EXIF 2.32, tag 0x0112
    1: (),
    2: (MIRROR,),
    3: (MIRROR, UPEND),
    4: (UPEND,),
    5: (TRANSPOSE,),
    6: (TRANSPOSE, MIRROR),
    7: (TRANSPOSE, MIRROR, UPEND),
    8: (TRANSPOSE, UPEND),
}
CLOCKWISE: dict[int, tuple[Move, ...]] = {
    0: (),
    1: (TRANSPOSE, MIRROR),
    2: (MIRROR, UPEND),
    3: (TRANSPOSE, UPEND),
}


def without_metadata(data: bytes, *, dpi: tuple[float, float] | None = None) -> bytes:
    """The same compressed image without comments, EXIF, profiles, previews and whatever lies behind its end.

    Args:
        data: a whole JPEG file that some decoder has proven.
        dpi: the resolution to state, or None for none.

    Raises:
        ValueError: the file is no chain of JPEG segments up to an end marker.
    """
    kept = [b"\xff\xd8", _density(dpi)]
    for marker, segment in segments(data):
        is_application = _APP0 <= marker <= _APP15
        if (is_application and marker != _APP14) or marker == _COMMENT:
            continue
        if marker == _APP14 and not segment[4:].startswith(b"Adobe"):
            continue
        kept.append(segment)
    return b"".join(kept)


def moved(data: bytes, moves: Sequence[Move], *, dpi: tuple[float, float] | None = None) -> bytes | None:
    """Move the pixels of a JPEG without loss, and take its metadata away.

    Args:
        data: as of `without_metadata`.
        moves: in their order.
        dpi: the resolution to state of the result.

    Returns:
        The new file; None where a move cuts through blocks or the file is of a kind that this does not read.

    Source: the method of jpegtran (IJG); coefficients through jpeglib.
    """
    if not can_be_read(data):
        return None
    if not moves:
        return without_metadata(data, dpi=dpi)
    import jpeglib  # slow import

    with tempfile.TemporaryDirectory(prefix="jpeg-") as folder:
        source, target = Path(folder) / "source.jpg", Path(folder) / "target.jpg"
        source.write_bytes(data)
        jpeg = jpeglib.read_dct(str(source))
        grid: _Grid | None = _Grid.of(jpeg)
        for move in moves:
            grid = grid and grid.after(move)
        if grid is None:
            return None
        grid.write_to(jpeg, target)
        return without_metadata(target.read_bytes(), dpi=dpi)


def can_be_read(data: bytes) -> bool:
    """Whether the file has one or three components of 8 bits, coded as nearly all JPEGs are."""
    try:
        frames = [(marker, part) for marker, part in segments(data) if 0xC0 <= marker <= 0xCF]
    except ValueError:
        return False
    frames = [(marker, part) for marker, part in frames if marker not in (0xC4, 0xC8, 0xCC)]
    return len(frames) == 1 and all(
        marker in _BASELINE_TO_PROGRESSIVE and part[4] == 8 and part[9] in (1, 3) for marker, part in frames
    )


@dataclass(frozen=True, eq=False)
class _Grid:
    """The coefficients of each component, int16 (rows, columns, 8, 8), and how they are sampled (down, across)."""

    planes: tuple[np.ndarray, ...]
    sampling: tuple[tuple[int, int], ...]
    tables: np.ndarray
    width: int
    height: int

    @staticmethod
    def of(jpeg: Any) -> "_Grid":
        planes = [jpeg.Y, jpeg.Cb, jpeg.Cr] if jpeg.num_components == 3 else [jpeg.Y]
        # The sampling of a single component means nothing (ITU-T T.81, A.2.2).
        sampling = [(int(down), int(across)) for down, across in jpeg.samp_factor[: len(planes)]]
        alone = [(1, 1)] if len(planes) == 1 else sampling
        return _Grid(tuple(planes), tuple(alone), np.asarray(jpeg.qt), int(jpeg.width), int(jpeg.height))

    @property
    def unit(self) -> tuple[int, int]:
        """Height and width in px of the smallest group of whole blocks of all components."""
        return _BLOCK * max(down for down, _ in self.sampling), _BLOCK * max(
            across for _, across in self.sampling
        )

    def after(self, move: Move) -> "_Grid | None":
        high, wide = self.unit
        if move.kind == "transpose":
            return _Grid(
                tuple(plane.transpose(1, 0, 3, 2) for plane in self.planes),
                tuple((across, down) for down, across in self.sampling),
                self.tables.transpose(0, 2, 1),
                self.height,
                self.width,
            )
        if move.kind == "mirror":
            if self.width % wide:
                return None
            return replace(self, planes=tuple(plane[:, ::-1] * _SIGNS for plane in self.planes))
        if move.kind == "upend":
            if self.height % high:
                return None
            return replace(self, planes=tuple(plane[::-1] * _SIGNS[:, None] for plane in self.planes))
        x, y, width, height = move.box
        if x % wide or y % high:
            return None
        planes = tuple(
            plane[
                y // high * down : y // high * down + -(-height * down // high),
                x // wide * across : x // wide * across + -(-width * across // wide),
            ]
            for plane, (down, across) in zip(self.planes, self.sampling, strict=True)
        )
        return replace(self, planes=planes, width=width, height=height)

    def write_to(self, jpeg: Any, path: Path) -> None:
        jpeg.load()
        jpeg.Y, *chroma = (np.ascontiguousarray(plane) for plane in self.planes)
        if chroma:
            jpeg.Cb, jpeg.Cr = chroma
        jpeg.qt = np.ascontiguousarray(self.tables)
        jpeg.width, jpeg.height = self.width, self.height
        jpeg.block_dims = np.array([plane.shape[:2] for plane in self.planes], np.int32)
        jpeg.samp_factor = np.array(self.sampling, np.int32)
        jpeg.markers = []
        jpeg.content = None  # or its sizes would be taken
        jpeg.write_dct(str(path))


def _density(dpi: tuple[float, float] | None) -> bytes:
    """A JFIF segment (JFIF 1.02) with the resolution, or with square pixels of no size."""
    x, y = (round(side) for side in dpi) if dpi else (1, 1)
    is_stated = dpi is not None and all(1 <= side <= 0xFFFF for side in (x, y))
    unit, x, y = (1, x, y) if is_stated else (0, 1, 1)
    return b"\xff\xe0\x00\x10JFIF\x00\x01\x01" + struct.pack(">BHHBB", unit, x, y, 0, 0)


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker with its whole segment; that of a scan with the compressed pixels behind it, up to the end marker."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("no start marker")
    position = 2
    while True:
        if position + 4 > len(data) and data[position : position + 2] != b"\xff\xd9":
            raise ValueError("no end marker")
        if data[position] != 0xFF:
            raise ValueError(f"no marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:  # fill bytes
            position += 1
            continue
        if marker == _END:
            yield marker, b"\xff\xd9"
            return
        if marker in _STANDALONE:
            yield marker, data[position : position + 2]
            position += 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SCAN:
            end = _end_of_scan(data, end)
        if end > len(data):
            raise ValueError("a segment is cut off")
        yield marker, data[position:end]
        position = end


def _end_of_scan(data: bytes, position: int) -> int:
    """Where the next marker stands behind compressed pixels; stuffed zeros and restart markers belong to them."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise ValueError("a scan without an end")
        if data[position + 1] == 0 or 0xD0 <= data[position + 1] <= 0xD7:
            position += 2
        else:
            return position


def moves_of(steps: Iterable[Sequence[Move]]) -> list[Move]:
    """The moves of several steps, in order."""
    return [move for step in steps for move in step]
