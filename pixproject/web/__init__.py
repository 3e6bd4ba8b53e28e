"""What the pages, the admin and the REST API share; only these interfaces import it."""
