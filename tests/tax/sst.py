"""Files in the shape of the Streamlined Sales Tax states': lines by hand, and whole sets of a size that one can choose."""

import random
import sys
from pathlib import Path

STATES = {
    "AR": "05", "GA": "13", "IN": "18", "IA": "19", "KS": "20", "KY": "21", "MI": "26", "MN": "27", "NE": "31", "NV": "32", "NJ": "34",
    "NC": "37", "ND": "38", "OH": "39", "OK": "40", "RI": "44", "SD": "46", "TN": "47", "UT": "49", "VT": "50", "WA": "53", "WV": "54",
    "WI": "55", "WY": "56",
}  # fmt: skip
_PREFIX = {  # the first three digits of a ZIP, from where on the state's are
    "AR": 716, "GA": 300, "IN": 460, "IA": 500, "KS": 660, "KY": 400, "MI": 480, "MN": 550, "NE": 680, "NV": 889, "NJ": 70, "NC": 270,
    "ND": 580, "OH": 430, "OK": 740, "RI": 28, "SD": 570, "TN": 370, "UT": 840, "VT": 50, "WA": 980, "WV": 247, "WI": 530, "WY": 820,
}  # fmt: skip
OPEN = "29991231"


def rate(kind, code, general, *, inter=None, food=None, begin="20110101", end=OPEN, fips="13"):
    """A line of a rate file; rates as fractions."""
    food = general if food is None else food
    return f"{fips},{kind},{code},{general},{inter or general},{food},{food},{begin},{end}"


def boundary(
    low, high=None, *, plus=None, county="", place="", districts=(), kind="Z", begin="20110101", end=OPEN, fips="13", state="13"
):  # fmt: skip
    """A line of a boundary file; `plus` is the lower and upper ZIP+4, `districts` are (code, type)."""
    fields = [kind, begin, end, *[""] * 86]
    if kind in "Aa":
        fields[15] = low
    else:
        fields[17], fields[19] = low, high or low
    if plus:
        fields[18], fields[20] = plus
    fields[22], fields[23], fields[24], fields[25] = fips, state, county, place
    for n, (code, of) in enumerate(districts):
        fields[29 + 3 * n : 32 + 3 * n] = ["ST", code, of]
    return ",".join(fields)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def generate(folder: Path, *, rates: int, ranges: int, states=tuple(STATES)) -> tuple[list[Path], list[str]]:
    """A rate and a boundary file a state, with so many rates and ZIP+4 ranges in all; the files, and some ZIP+4 in them.

    Every ZIP lies in one county and has one whole record and its share of ranges: in one of its three cities or none, some with districts.
    """
    rng = random.Random(6)
    files, sample = [], []
    a_state, a_range = rates // len(states), ranges // len(states)
    for state in states:
        fips, first = STATES[state], _PREFIX[state] * 100
        counties = [f"{2 * n + 1:03}" for n in range(min(100, max(2, a_state // 6)))]
        cities = [f"{1000 + 8 * n:05}" for n in range(max(2, a_state // 2))]
        districts = [f"{80001 + n}" for n in range(max(2, a_state - len(counties) - len(cities) - 1))]
        lines = [rate("45", fips, "0.0600", fips=fips)]
        lines += [rate("00", code, f"0.0{rng.randrange(5, 30):02}", fips=fips) for code in counties]
        lines += [rate("01", code, f"0.0{rng.randrange(5, 25):02}", fips=fips) for code in cities]
        lines += [rate("63", code, f"0.00{rng.randrange(1, 9)}", fips=fips) for code in districts]
        files.append(write(folder / f"{state}R2026Q2FEB18.csv", *lines))

        zips = max(2, min(200 if state == "RI" else 500, a_range // 100))
        per_zip = max(2, a_range // zips)
        path = folder / f"{state}B2026Q2FEB18.csv"
        with path.open("w") as out:
            for n in range(zips):
                zip5, county = f"{first + n:05}", rng.choice(counties)
                out.write(boundary(zip5, county=county, fips=fips, state=fips) + "\n")
                near, extra = (
                    [*rng.sample(cities, min(3, len(cities))), ""],
                    [(code, "63") for code in rng.sample(districts, 2)],
                )
                width = 10_000 // per_zip or 1
                for m in range(per_zip):
                    plus = f"{m * width % 10_000:04}", f"{(m * width + width - 1) % 10_000:04}"
                    given = {
                        "place": rng.choice(near),
                        "districts": extra if m % 3 else (),
                        "county": county,
                        "plus": plus,
                    }
                    out.write(boundary(zip5, kind="4", fips=fips, state=fips, **given) + "\n")
                sample.append(f"{state} {zip5}-{rng.randrange(10_000):04}")
        files.append(path)
    return files, sample


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    print(*generate(target, rates=15_000, ranges=2_000_000)[0], sep="\n")
