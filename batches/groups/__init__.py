"""Groups of a batch: changing them, listing them, statistics, suggestions and splitting."""
