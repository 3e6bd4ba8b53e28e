"""Files in, arrays out, and back: formats, probing, decoding, encoding."""
