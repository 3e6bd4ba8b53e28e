"""The REST API of the library: uploads, images, files, quality, similarity, duplicates."""
