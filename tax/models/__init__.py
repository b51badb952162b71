"""The tables of tax, by subject."""

from tax.models.assessment import Assessment, Ground, TaxDifference
from tax.models.boundary import Boundary, Combination
from tax.models.charged import TaxLine
from tax.models.dataset import BookVersion, Dataset
from tax.models.facts import DeliveryFact, Jurisdiction, RateFact, RuleFact
from tax.models.mapping import CategoryRule, UnmappedCategory
from tax.models.nexus import NexusWatch
from tax.models.provider import ProviderAnswer, TaxSetting
from tax.models.seller import Certificate, Registration, SellerPlace, TaxNumberCheck

__all__ = [
    "Assessment",
    "BookVersion",
    "Boundary",
    "CategoryRule",
    "Certificate",
    "Combination",
    "Dataset",
    "DeliveryFact",
    "Ground",
    "Jurisdiction",
    "NexusWatch",
    "ProviderAnswer",
    "RateFact",
    "Registration",
    "RuleFact",
    "SellerPlace",
    "TaxDifference",
    "TaxLine",
    "TaxNumberCheck",
    "TaxSetting",
    "UnmappedCategory",
]
