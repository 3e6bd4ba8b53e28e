"""A batch as files: one folder a group, a manifest, statistics, and a ZIP archive."""
