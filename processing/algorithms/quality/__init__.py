"""How good an image is: measured causes, PyIQA metrics, and grades."""
