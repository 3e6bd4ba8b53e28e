"""The addresses of the pages of batches, under /batches/."""

from batches import views_batches, views_map, views_near, views_review, views_review_panel

urlpatterns = [
    *views_batches.urlpatterns,
    *views_review.urlpatterns,
    *views_review_panel.urlpatterns,
    *views_map.urlpatterns,
    *views_near.urlpatterns,
]
