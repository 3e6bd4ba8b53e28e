"""The addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from images.pages import library as images
from images.pages import quality, similar
from pixproject import views as pages
from processing.pages import jobs

urlpatterns = [
    path("", pages.home, name="home"),
    path("sign-in/", pages.SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("account/password/", pages.PasswordChange.as_view(), name="password-change"),
    path("status/", pages.status, name="status"),
    path("status/live/", pages.status_live, name="status-live"),
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/cards/", jobs.job_cards, name="job-cards"),
    path("jobs/<uuid:job_id>/", jobs.job_detail, name="job"),
    path("jobs/<uuid:job_id>/live/", jobs.job_live, name="job-live"),
    path("jobs/<uuid:job_id>/card/", jobs.job_card, name="job-card"),
    path("jobs/<uuid:job_id>/results/", jobs.job_results, name="job-results"),
    path("jobs/<uuid:job_id>/cancel/", jobs.job_cancel, name="job-cancel"),
    path("jobs/<uuid:job_id>/retry/", jobs.job_retry, name="job-retry"),
    path("jobs/<uuid:job_id>/priority/", jobs.job_priority, name="job-priority"),
    path("images/", images.gallery, name="gallery"),
    path("images/upload/", images.upload, name="gallery-upload"),
    path("images/actions/", images.actions, name="gallery-actions"),
    path("images/search/", similar.search, name="search"),
    path("images/<uuid:image_id>/quality/", quality.panel, name="image-quality"),
    path("images/<uuid:image_id>/measure/", quality.measure, name="image-measure"),
    path("quality/", quality.profiles, name="quality-profiles-page"),
    path("quality/<str:kind>/", quality.profile_change, name="quality-profile-change"),
    path("images/<uuid:image_id>/similar/", similar.strip_part, name="image-similar"),
    path("images/<uuid:image_id>/embed/", similar.embed, name="image-embed"),
    path("batches/", include("batches.pages.urls")),
    path("duplicates/", similar.duplicate_list, name="duplicates"),
    path("duplicates/<uuid:pair_id>/", similar.duplicate_resolve, name="duplicate-resolve"),
    path("images/<uuid:image_id>/", images.detail, name="image"),
    path("images/<uuid:image_id>/edit/", images.edit, name="image-edit"),
    path("images/<uuid:image_id>/trash/", images.trash, name="image-trash"),
    path("images/<uuid:image_id>/restore/", images.restore, name="image-restore"),
    path("images/<uuid:image_id>/pin/", images.pin, name="image-pin"),
]
