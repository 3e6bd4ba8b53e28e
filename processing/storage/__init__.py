"""Stored files: results, links to them, serving, retention, and integrity checks."""
