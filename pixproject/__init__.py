"""The site: settings, URLs, the runner, embedded servers, health and metrics."""
