"""HDBSCAN on a dense distance matrix, with splitting, joining and matching of groups."""
