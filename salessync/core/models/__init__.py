from salessync.core.models.api_client import ApiAnswer, ApiClient, ApiPace, ApiSecret
from salessync.core.models.audit import AuditRow
from salessync.core.models.company import Company
from salessync.core.models.seal import Seal

__all__ = ["ApiAnswer", "ApiClient", "ApiPace", "ApiSecret", "AuditRow", "Company", "Seal"]
