"""Quality of images: measured causes and metrics, profiles that grade them, reports."""
