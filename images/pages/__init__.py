"""The pages of the library: gallery, one image, quality profiles, similar images."""
