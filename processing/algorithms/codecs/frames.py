"""Count the frames of a file without decoding them, and stop counting where a limit is passed."""

from typing import BinaryIO, Literal

from PIL import Image

from processing.algorithms.errors import DamagedImage


def count_frames(image: Image.Image, stream: BinaryIO, *, name: str, stop_after: int) -> int:
    """Frames (or TIFF pages) of an opened image.

    Args:
        image: the opened image.
        stream: the file behind it.
        name: its format, a key of `FORMATS`.
        stop_after: counting ends with this number plus one: a hostile file may hold millions.

    Returns:
        The number of frames, at most `stop_after + 1`.
    """
    if name in ("jpg", "bmp", "heic"):  # a JPEG's further images (MPO) are previews or a second eye
        return 1
    if name == "gif":
        return _count_gif_frames(stream, stop_after=stop_after)
    if name == "tiff":
        return _count_tiff_pages(stream, stop_after=stop_after)
    return min(int(getattr(image, "n_frames", 1)), stop_after + 1)


def _count_tiff_pages(stream: BinaryIO, *, stop_after: int) -> int:
    """Walk the chain of image file directories (TIFF 6.0, BigTIFF); Pillow would parse every page."""
    stream.seek(0)
    header = stream.read(16)
    order: Literal["little", "big"] = "little" if header[:2] == b"II" else "big"
    is_big = 43 in header[2:4]
    count_bytes, entry_bytes, offset_bytes = (8, 20, 8) if is_big else (2, 12, 4)
    first = 8 if is_big else 4
    offset = int.from_bytes(header[first : first + offset_bytes], order)
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) <= stop_after:
        seen.add(offset)
        stream.seek(offset)
        entries = int.from_bytes(stream.read(count_bytes), order)
        stream.seek(offset + count_bytes + entries * entry_bytes)
        offset = int.from_bytes(stream.read(offset_bytes), order)
    return max(len(seen), 1)


def _count_gif_frames(stream: BinaryIO, *, stop_after: int) -> int:
    """Walk the blocks of a GIF (GIF89a specification): Pillow's own count takes seconds on hostile files.

    A missing end mark is forgiven, as every viewer does; a block that ends in the middle is damage.
    """
    stream.seek(0)
    data = stream.read()
    frames = 0
    try:
        position = 13 + _colour_table_bytes(data[10])
        while position < len(data) and frames <= stop_after:
            introducer = data[position]
            if introducer == 0x21:
                position = _skip_sub_blocks(data, position + 2)
            elif introducer == 0x2C:
                frames += 1
                position = _skip_sub_blocks(data, position + 11 + _colour_table_bytes(data[position + 9]))
            else:  # 0x3B is the end mark; anything else is foreign data behind the image
                break
    except IndexError as error:
        raise DamagedImage(f"The image is damaged or incomplete: GIF frame {frames} is cut off.") from error
    return max(frames, 1)


def _colour_table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_sub_blocks(data: bytes, position: int) -> int:
    """Position behind a chain of length-prefixed blocks; IndexError where the file ends inside it."""
    while data[position]:
        position += data[position] + 1
    return position + 1
