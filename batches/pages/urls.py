"""The addresses of the pages of batches, under /batches/."""

from batches.pages import batches, near_duplicates, review_panel
from batches.pages import map as views_map
from batches.pages import review as views_review

urlpatterns = [
    *batches.urlpatterns,
    *views_review.urlpatterns,
    *review_panel.urlpatterns,
    *views_map.urlpatterns,
    *near_duplicates.urlpatterns,
]
