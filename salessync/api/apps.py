from importlib import import_module

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "salessync.api"
    label = "api"

    def ready(self) -> None:
        import_module("salessync.api.schema")  # tells the schema how a request is authenticated
