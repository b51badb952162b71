"""The first minute: no channel, no sale, nothing to show, and every page answers."""

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(client, django_user_model):
    cache.clear()
    client.force_login(django_user_model.objects.create_superuser("first"))
    return client


def test_the_home_page_says_what_to_do(first):
    text = first.get(reverse("admin:index")).content.decode()
    assert "No channel is connected yet" in text
    assert "No revenue has been posted yet" in text


def test_every_list_is_empty_and_answers(first):
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        assert first.get(reverse(f"admin:{name}_changelist")).status_code == 200, name


def test_what_is_not_there_is_not_found(first):
    for name in (
        "channels_event",
        "channels_transaction",
        "ledger_journalentry",
        "channels_quarantinedevent",
    ):
        response = first.get(reverse(f"admin:{name}_change", args=[987654321]))
        assert response.status_code == 302, name
