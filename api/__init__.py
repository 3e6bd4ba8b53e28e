"""What every REST interface shares: errors, parsing, idempotency (`core`), keys and scopes (`access`)."""
