"""Every address but /health/…, which health.py answers before routing. No rules here."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from channels import webhooks
from salessync import metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("webhooks/<str:slug>", webhooks.receive),
    path("webhooks/<str:slug>/", webhooks.receive),
    path("metrics", metrics.view),
    path("api/", include("salessync.api.urls")),
    path("admin/", admin.site.urls),
]
