"""From received bytes to a stored image: checks, hashing, deduplication, first jobs."""
