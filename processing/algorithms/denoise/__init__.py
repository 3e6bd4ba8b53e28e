"""DnCNN denoising in tiles, and estimates of noise."""
