"""Near-duplicates by perceptual hash and vectors: pairs and connected sets."""
