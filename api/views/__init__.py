"""The REST API of access: who is signed in, API keys, the audit log, the table of error codes."""
