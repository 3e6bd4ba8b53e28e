"""What benchmarks stand on: a throw-away Pix and its workers, requests, images, results, a queue to compare with."""
