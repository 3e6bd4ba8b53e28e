"""What is done with arrays: pure functions, no Django, no files, no settings."""
