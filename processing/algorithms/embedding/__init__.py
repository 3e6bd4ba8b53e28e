"""Embedders: from pixels or text to vectors of length 1, and ranking by them."""
