"""Programs that use the API: who they are, what they may do, how often they asked, and what they were answered."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models

from salessync.core.models.company import Company


class ApiClient(models.Model):
    """One program with its scopes; it sees what is its company's, and nothing else."""

    class Scope(models.TextChoices):
        SALES = "sales", "Send sales, refunds and cash sessions"
        STOCK = "stock", "Read stock"
        RESERVATIONS = "reservations", "Reserve stock"
        BOOKS = "books", "Read transactions, accounts, payouts and revenue"
        BOOKKEEPER = "bookkeeper", "Follow the journal and acknowledge it"
        DISCREPANCIES = "discrepancies", "Read and decide discrepancies"
        METRICS = "metrics", "Read metrics"

    company = models.ForeignKey(Company, models.PROTECT)
    name = models.CharField(max_length=60)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    requests_per_minute = models.PositiveIntegerField(default=600, validators=[MinValueValidator(1)])
    expires_at = models.DateTimeField(null=True, blank=True, help_text="none: it does not expire")
    revoked_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    is_authenticated = True  # what Django REST framework asks of whoever made a request

    class Meta:
        verbose_name = "API client"
        constraints = [
            models.UniqueConstraint(fields=["company", "name"], name="api_client_name"),
            models.CheckConstraint(
                condition=models.Q(
                    scopes__len__gt=0,
                    scopes__contained_by=[
                        "sales", "stock", "reservations", "books", "bookkeeper", "discrepancies", "metrics",
                    ],
                ),
                name="api_client_scopes",
            ),
            models.CheckConstraint(condition=models.Q(requests_per_minute__gte=1), name="api_client_pace"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class ApiSecret(models.Model):
    """What proves a client. Two may be live at once, so that a program can be switched to another without a gap."""

    SLOTS = (1, 2)

    client = models.ForeignKey(ApiClient, models.CASCADE, related_name="secrets")
    slot = models.PositiveSmallIntegerField()
    prefix = models.CharField(max_length=16, unique=True, help_text="names the secret, and proves nothing")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the token, which nobody keeps")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    last_used_at = models.DateTimeField(null=True, help_text="to the hour")

    class Meta:
        verbose_name = "API secret"
        constraints = [
            models.UniqueConstraint(fields=["client", "slot"], name="api_secret_slot"),
            models.CheckConstraint(condition=models.Q(slot__in=[1, 2]), name="api_secret_two_live"),
        ]

    def __str__(self) -> str:
        return self.prefix


class ApiPace(models.Model):
    """How many requests of a client were counted in the present minute, by all processes together."""

    client = models.OneToOneField(ApiClient, models.CASCADE, primary_key=True)
    minute = models.BigIntegerField(help_text="since 1970, by the database's clock")
    requests = models.BigIntegerField()


class ApiAnswer(models.Model):
    """What a request with an Idempotency-Key was answered, written with the work itself."""

    client = models.ForeignKey(ApiClient, models.CASCADE, db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(
        max_length=32, help_text="SHA-256 of the request: the same key means the same request"
    )
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        verbose_name = "API answer"
        constraints = [models.UniqueConstraint(fields=["client", "key"], name="api_answer_once")]
        indexes = [models.Index(fields=["created_at"], name="api_answer_age")]

    def __str__(self) -> str:
        return self.key
