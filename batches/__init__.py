"""Batches of images: their groups, what people and the machine do with them, and the way back."""
