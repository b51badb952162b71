"""Every address. No rules here."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from channels import webhooks
from salessync import health, metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("webhooks/<str:slug>", webhooks.receive),
    path("webhooks/<str:slug>/", webhooks.receive),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", metrics.view),
    path("admin/", admin.site.urls),
]
