"""Automatic grouping: reads vectors, clusters them in a worker, saves runs and activates them."""
