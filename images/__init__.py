"""The library: uploaded images, their thumbnails, quality, vectors and duplicates."""
