"""What a file says beside its pixels (EXIF, XMP, IPTC, texts): read as exiftool prints it, made into JSON, removed."""
