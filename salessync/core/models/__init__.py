from salessync.core.models.audit import AuditRow
from salessync.core.models.company import Company

__all__ = ["AuditRow", "Company"]
