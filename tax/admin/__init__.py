"""Tax: what was charged beside what is due, the rates and where they come from, and what a seller is to tax authorities."""

from tax.admin.assessment import AssessmentAdmin
from tax.admin.category import CategoryRuleAdmin, UnmappedCategoryAdmin
from tax.admin.dataset import DatasetAdmin
from tax.admin.difference import TaxDifferenceAdmin
from tax.admin.nexus import NexusWatchAdmin
from tax.admin.rate import RateFactAdmin
from tax.admin.seller import CertificateAdmin, RegistrationAdmin, SellerPlaceAdmin, TaxNumberCheckAdmin
from tax.admin.setting import TaxSettingAdmin

__all__ = [
    "AssessmentAdmin", "CategoryRuleAdmin", "CertificateAdmin", "DatasetAdmin", "NexusWatchAdmin", "RateFactAdmin", "RegistrationAdmin",
    "SellerPlaceAdmin", "TaxDifferenceAdmin", "TaxNumberCheckAdmin", "TaxSettingAdmin", "UnmappedCategoryAdmin",
]  # fmt: skip
