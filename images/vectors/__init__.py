"""Embeddings of images and what they are used for: similar images and search by text."""
