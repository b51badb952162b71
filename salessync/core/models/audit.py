"""The append-only audit trail."""

from django.db import models


class AuditRow(models.Model):
    """Who did what to which object; no foreign keys, so that it neither blocks nor changes with live data.

    The database refuses UPDATE, DELETE and TRUNCATE (migration 0002).
    """

    id = models.BigAutoField(primary_key=True)
    company_id = models.BigIntegerField(null=True)
    at = models.DateTimeField(db_default=models.functions.Now())
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=40)
    object_id = models.BigIntegerField(null=True)
    data = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["object_type", "object_id"], name="audit_object")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.object_type} {self.object_id}"
