"""Fingerprints: enhancement, ridge maps, quality and advice."""
