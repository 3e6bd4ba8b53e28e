"""How every endpoint reads and answers: the error body, parsers, serializers, filters, pages, idempotency."""
