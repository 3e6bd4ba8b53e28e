"""The library: images, their thumbnails, and what was measured of them."""

from images.models.image import Image, Rendition
from images.models.measured import DuplicatePair, Embedding, QualityProfile, QualityScore

__all__ = ["DuplicatePair", "Embedding", "Image", "QualityProfile", "QualityScore", "Rendition"]
