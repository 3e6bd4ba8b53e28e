"""CLIP's tokenizer: a sentence as the numbers that its text network was trained with.

Source: openai/CLIP, `simple_tokenizer.py` and `clip.tokenize`: byte-pair encoding (Sennrich et al., 2016) over bytes
written as visible characters, lower case only.
"""

import gzip
import html
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CONTEXT_LENGTH = 77
MERGES = 49_152 - 256 - 2
END_OF_WORD = "</w>"
SPECIAL = ("<|startoftext|>", "<|endoftext|>")
_FIXED = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d", re.IGNORECASE)


class Tokenizer:
    """Splits sentences by the merges of a vocabulary file."""

    def __init__(self, merges: list[tuple[str, str]]) -> None:
        symbols = list(_visible_bytes().values())
        vocabulary = [
            *symbols,
            *(symbol + END_OF_WORD for symbol in symbols),
            *map("".join, merges),
            *SPECIAL,
        ]
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._numbers = {token: number for number, token in enumerate(vocabulary)}

    @classmethod
    def read(cls, path: Path | str) -> "Tokenizer":
        """From a vocabulary file such as `bpe_simple_vocab_16e6.txt.gz`."""
        lines = gzip.decompress(Path(path).read_bytes()).decode("utf-8").split("\n")
        pairs = (line.split() for line in lines[1 : MERGES + 1] if line)
        return cls([(first, second) for first, second in pairs])

    def encode(self, text: str) -> list[int]:
        """The numbers of a sentence's tokens, without start and end."""
        from ftfy import fix_text  # what the published tokenizer uses

        text = html.unescape(html.unescape(fix_text(text)))
        numbers = []
        for word in _words(re.sub(r"\s+", " ", text).strip().lower()):
            if word not in SPECIAL:
                word = "".join(_visible_bytes()[byte] for byte in word.encode("utf-8"))
            numbers += [self._numbers[token] for token in self._split(word)]
        return numbers

    def tokenize(self, text: str) -> list[int]:
        """Start, the sentence, end, and zeros up to 77 numbers.

        Raises:
            ValueError: if the sentence is longer than the network's context.
        """
        numbers = [self._numbers[SPECIAL[0]], *self.encode(text), self._numbers[SPECIAL[1]]]
        if len(numbers) > CONTEXT_LENGTH:
            raise ValueError(
                f"The text has {len(numbers) - 2} tokens; the model reads at most {CONTEXT_LENGTH - 2}."
            )
        return numbers + [0] * (CONTEXT_LENGTH - len(numbers))

    def _split(self, word: str) -> list[str]:
        """Join the pair that ranks first, again and again, until no neighbours are a known pair."""
        if word in SPECIAL:
            return [word]
        parts = [*word[:-1], word[-1] + END_OF_WORD]
        while len(parts) > 1:
            pair = min(
                zip(parts, parts[1:], strict=False), key=lambda p: self._ranks.get(p, len(self._ranks))
            )
            if pair not in self._ranks:
                break
            parts = _joined(parts, pair)
        return parts


def _joined(parts: list[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    index = 0
    while index < len(parts):
        is_pair = tuple(parts[index : index + 2]) == pair
        joined.append("".join(pair) if is_pair else parts[index])
        index += 2 if is_pair else 1
    return joined


def _words(text: str) -> Iterator[str]:
    """Special tokens, English endings, runs of letters, single digits, runs of anything else but spaces."""
    start = 0
    while start < len(text):
        kind = _kind(text[start])
        end = start + 1
        if fixed := _FIXED.match(text, start):
            end = fixed.end()
        elif kind != "digit":
            while end < len(text) and _kind(text[end]) == kind:
                end += 1
        if kind != "space":
            yield text[start:end]
        start = end


def _kind(character: str) -> str:
    if character.isspace():
        return "space"
    return {"L": "letter", "N": "digit"}.get(unicodedata.category(character)[0], "other")


@cache
def _visible_bytes() -> dict[int, str]:
    """A visible character for each byte: its own where it has one, else one from 256 on; in the vocabulary's order."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in own]
    return {byte: chr(byte) for byte in own} | {byte: chr(256 + n) for n, byte in enumerate(others)}
