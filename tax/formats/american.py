"""How jurisdictions of the United States are named, and how the authorities' files write days and rates. Pure."""

import re
import unicodedata
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

from tax.formats.source import Unusable
from tax.law.ratebook import ROOT
from tax.law.seed import seed
from tax.rates.loaded import LoadedJurisdiction

# FIPS 5-2, https://www.census.gov/library/reference/code-lists/ansi.html
FIPS = {
    "01": "AL", "02": "AK", "04": "AZ", "05": "AR", "06": "CA", "08": "CO", "09": "CT", "10": "DE", "11": "DC", "12": "FL",
    "13": "GA", "15": "HI", "16": "ID", "17": "IL", "18": "IN", "19": "IA", "20": "KS", "21": "KY", "22": "LA", "23": "ME",
    "24": "MD", "25": "MA", "26": "MI", "27": "MN", "28": "MS", "29": "MO", "30": "MT", "31": "NE", "32": "NV", "33": "NH",
    "34": "NJ", "35": "NM", "36": "NY", "37": "NC", "38": "ND", "39": "OH", "40": "OK", "41": "OR", "42": "PA", "44": "RI",
    "45": "SC", "46": "SD", "47": "TN", "48": "TX", "49": "UT", "50": "VT", "51": "VA", "53": "WA", "54": "WV", "55": "WI",
    "56": "WY", "72": "PR",
}  # fmt: skip
FIPS_OF = {state: fips for fips, state in FIPS.items()}
LEVELS = ("state", "county", "city", "district")
TAX = {"county": "County sales tax", "city": "City sales tax", "district": "District sales tax"}
_OPEN_FROM = "2078"  # years that stand for "until further notice": 2078, 2099, 2999, 9999
_DAY = timedelta(days=1)
_DISTRICT = re.compile(r"[0-9]{2}-[0-9A-Z]{5}")


def state_tax(state: str) -> str:
    """The name that the seed gives to the state's own tax: the imported rate stands in for it."""
    rows = seed().rates.get(f"US-{state}", ())
    return next((row.tax for row in rows if row.category == ROOT), "State sales tax")


def state_of(text: str) -> str:
    """GA, US-GA, 13 or Georgia."""
    wanted = text.strip().upper().removeprefix("US-")
    if wanted in FIPS_OF:
        return wanted
    if wanted.zfill(2) in FIPS:
        return FIPS[wanted.zfill(2)]
    for (country, code), region in seed().regions.items():
        if country == "US" and region.name.upper() == wanted:
            return code
    raise Unusable("UNKNOWN_STATE", f"{text[:40]!r} is no state")


def county(state: str, code: str) -> str:
    """US-GA-121."""
    if not (code.isascii() and code.isdigit() and len(code) <= 3):
        raise Unusable("BAD_COUNTY", f"{code[:20]!r} is no county code of three digits")
    return f"US-{state}-{code.zfill(3)}"


def city(state: str, code: str) -> str:
    """US-GA-04000."""
    if not (code.isascii() and code.isdigit() and len(code) <= 5):
        raise Unusable("BAD_PLACE", f"{code[:20]!r} is no place code of five digits")
    return f"US-{state}-{code.zfill(5)}"


def district(state: str, kind: str, code: str) -> str:
    """US-MN-63-80004: of a type, and numbered."""
    found = f"{kind.zfill(2)}-{code.zfill(5)}".upper()
    if not _DISTRICT.fullmatch(found):
        raise Unusable("BAD_DISTRICT", f"{kind[:10]!r} {code[:20]!r} is no type and code of a district")
    return f"US-{state}-{found}"


def named(state: str, level: str, text: str) -> LoadedJurisdiction:
    """A county, city or district by its code, or else by its name."""
    parent = f"US-{state}"
    if text.isascii() and text.isdigit() and level == "county" and len(text) <= 3:
        return LoadedJurisdiction(county(state, text), parent, "US", level, fips=FIPS_OF[state] + text.zfill(3))
    if text.isascii() and text.isdigit() and level == "city" and len(text) <= 5:
        return LoadedJurisdiction(city(state, text), parent, "US", level, fips=FIPS_OF[state] + text.zfill(5))
    if level == "district" and _DISTRICT.fullmatch(text):
        return LoadedJurisdiction(f"{parent}-{text}", parent, "US", level)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    slug = "-".join(re.findall(r"[a-z0-9]+", plain))
    if not slug or len(slug) > 40:
        raise Unusable("BAD_NAME", f"{text[:60]!r} is no name of a {level}")
    return LoadedJurisdiction(f"{parent}-{level}-{slug}", parent, "US", level, name=text)


def state_jurisdiction(state: str) -> LoadedJurisdiction:
    """The state itself; its name is known from the seed."""
    region = seed().regions.get(("US", state))
    return LoadedJurisdiction(f"US-{state}", "US", "US", "state", region.name if region else "", FIPS_OF[state])


@lru_cache(maxsize=10_000)
def first_day(text: str) -> date:
    """YYYYMMDD."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        raise Unusable("BAD_DATE", f"{text[:20]!r} is no day written YYYYMMDD") from None


@lru_cache(maxsize=10_000)
def first_day_after(text: str) -> date | None:
    """The day after a last day; None where it is open."""
    if not text or (len(text) == 8 and text.isdigit() and text >= _OPEN_FROM):
        return None
    return first_day(text) + _DAY


def percent(text: str) -> Decimal:
    """Of a fraction: 0.06875 is 6.875 percent."""
    if not re.fullmatch(r"[0-9]{0,2}(\.[0-9]{1,10})?", text) or not text:
        raise Unusable("BAD_RATE", f"{text[:20]!r} is no rate")
    fraction = Decimal(text)
    if fraction > 1:
        raise Unusable("BAD_RATE", f"{text[:20]} is no fraction: 0.04 would be 4 percent")
    return fraction * 100
