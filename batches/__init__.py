"""Batches of images: their groups, what people and Pix do with them, and how to undo it."""
