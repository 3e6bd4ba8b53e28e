"""`make run`, `make dev`, `make stop` and `make logs`: one whole Pix on one machine."""
