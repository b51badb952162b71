"""Checks an unzipped evidence pack: every hash, every entry, both trial balances, every seal. README.txt says what and why.

    python3 verify.py [FOLDER] [--anchors FILE...]

Needs Python 3.9 alone, reads a line at a time. Exit 0: all holds; 1: something does not, and is named; 2: no pack to check.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter, defaultdict
from itertools import groupby
from pathlib import Path

SEALED = ("entries", "postings", "details", "detail_postings", "versions", "events")  # what is sealed for an entry
WORDS = (
    "number",
    "of",
    "first",
    "last",
    "rows",
    "contents",
    "previous",
    "sealed_at",
)  # of a seal, in the order of its hash
END = float("inf")
faults, counts = Counter(), Counter()  # by file


def fault(file, row, what):
    faults[file] += 1
    if faults[file] <= 20:
        print(f"{file}: {row}: {what}")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def read(folder, name):
    """(line without its end, parsed) of each line of a file that may not be there."""
    if (folder / name).exists():
        with (folder / name).open("rb") as file:
            for counts[name], line in enumerate(file, 1):
                try:
                    yield line.rstrip(b"\n"), json.loads(line)
                except ValueError:
                    fault(name, f"line {counts[name]}", "is no JSON")


class Following:
    """The rows of a file that belong to the entry (or audit row) that we are at; both files go by its number."""

    def __init__(self, folder, name):
        self.name = name
        self.groups = groupby(read(folder, name), key=lambda pair: int(pair[1]["row"].partition(".")[0]))
        self.step()

    def step(self):
        self.number, rows = next(self.groups, (END, ()))
        self.rows = list(rows)

    def take(self, number):
        """(line, row) of this number's. What comes before belongs to nothing here; but the seals hold others' rows too."""
        while self.number < number:
            if not self.name.startswith("sealed_"):
                fault(self.name, self.rows[0][1]["row"], "belongs to nothing in this pack")
            self.step()
        found = self.rows if self.number == number else []
        if found:
            self.step()
        return found


def check_files(folder, manifest):
    for name in sorted({path.name for path in folder.iterdir()} - set(manifest["files"]) - {"MANIFEST.json"}):
        fault(name, "the file", "is not in MANIFEST.json")
    for name, told in manifest["files"].items():
        digest = hashlib.sha256()
        if (folder / name).exists():
            with (folder / name).open("rb") as file:
                while piece := file.read(1 << 20):
                    digest.update(piece)
        if digest.hexdigest() != told["sha256"]:
            fault(name, "the file", "is missing, or does not have the SHA-256 that MANIFEST.json gives")


def check_seals(folder, manifest, anchors):
    """Each seal's hash, that it follows the one before, and that it holds what is told of it."""
    files = {"audit": "sealed_audit.jsonl", f"journal/{manifest['company']['id']}": "sealed_journal.jsonl"}
    held = {of: held_by_seals(folder, name) for of, name in files.items()}
    at = {of: next(those, (None,)) for of, those in held.items()}
    before = None
    for _, seal in read(folder, "seals.jsonl"):
        number, of = seal["number"], seal["of"]
        words = ["salessync-seal 1", *(f"{word} {seal[word]}" for word in WORDS)]
        if seal["hash"] != sha256("".join(f"{word}\n" for word in words).encode()):
            fault("seals.jsonl", f"seal {number}", "its hash is not that of its words")
        if before and (number, seal["previous"]) != (before["number"] + 1, before["hash"]):
            fault("seals.jsonl", f"seal {number}", f"does not follow seal {before['number']}")
        if anchors and seal["hash"] not in anchors[number]:
            fault("seals.jsonl", f"seal {number}", "is not the one that was anchored")
        if of in at and at[of][0] == number:
            if at[of][1:] != (seal["rows"], seal["contents"]):
                fault(files[of], f"seal {number}", "holds other rows than are told here")
            at[of] = next(held[of], (None,))
        before = seal
    for of, (number, *_) in at.items():
        if number is not None:
            fault(files[of], f"seal {number}", "is not in seals.jsonl")
    if before and manifest["head"] != {"number": before["number"], "hash": before["hash"]}:
        fault("MANIFEST.json", "head", "is not the last seal of seals.jsonl")


def held_by_seals(folder, name):
    """(seal, how many rows, SHA-256 of their names and digests) for each seal that the file tells of."""
    for number, pairs in groupby(read(folder, name), key=lambda pair: pair[1]["seal"]):
        lines = [f"{row['row']} {row['digest']}\n" for _, row in pairs]
        yield number, len(lines), sha256("".join(lines).encode())


def check_entries(folder, manifest):
    """Each entry with all that belongs to it; returns what the period posts, by account and currency."""
    files = {name: Following(folder, f"{name}.jsonl") for name in (*SEALED[1:], "records", "payloads")}
    seals = Following(folder, "sealed_journal.jsonl")
    total = defaultdict(Counter)
    for line, entry in read(folder, "entries.jsonl"):
        own = {name: file.take(int(entry["row"])) for name, file in files.items()} | {"entries": [(line, entry)]}
        sealed = {row["row"]: row["digest"] for _, row in seals.take(int(entry["row"]))}
        for part in SEALED:
            for text, row in own[part]:
                if sealed.get(row["row"]) != sha256(text):
                    fault(f"{part}.jsonl", row["row"], "is not what was sealed under this name")
        there = {row["row"] for rows in own.values() for _, row in rows}
        for name in sealed:
            if name not in there and (".b" not in name or manifest["payloads"]):
                fault("sealed_journal.jsonl", name, "was sealed, and is not in this pack")
        if not manifest["from"] <= entry["date"] <= manifest["to"]:
            fault("entries.jsonl", entry["row"], f"is booked on {entry['date']}, outside the period")
        check_balance("entries.jsonl", entry, own["postings"])
        parts = defaultdict(list)
        for pair in own["detail_postings"]:
            parts[pair[1]["row"].rpartition(".")[0]].append(pair)
        for _, detail in own["details"]:
            check_balance("details.jsonl", detail, parts[detail["row"]])
        if own["details"] and net(own["postings"]) != net(own["detail_postings"]):
            fault("details.jsonl", entry["row"], "what its details post is together not what the entry posts")
        check_sources(own, sealed)
        for key, sums in posted(own["postings"]).items():
            total[key].update(sums)
    for file in files.values():
        file.take(END)
    return total


def check_balance(file, whole, postings):
    sums = posted(postings).values()
    if len(postings) != whole["legs"]:
        fault(file, whole["row"], f"has {len(postings)} postings, and should have {whole['legs']}")
    if sum(one["base"] for one in sums):
        fault(file, whole["row"], "does not sum to zero in base currency")
    if len({row["currency"] for _, row in postings}) == 1 and sum(one["debit"] - one["credit"] for one in sums):
        fault(file, whole["row"], "does not sum to zero")


def posted(postings):
    """(account, currency) → debit, credit, and both in base currency."""
    found = defaultdict(Counter)
    for _, row in postings:
        amount = row["amount"]
        found[row["account"], row["currency"]].update(
            debit=max(amount, 0), credit=max(-amount, 0), base=row["base_amount"]
        )
    return found


def net(postings):
    found = {key: (one["debit"] - one["credit"], one["base"]) for key, one in posted(postings).items()}
    return {key: amounts for key, amounts in found.items() if any(amounts)}


def check_sources(own, sealed):
    """Records against the digests of their versions, stored messages against what was sealed."""
    digests = {row["row"]: row["digest"] for _, row in own["versions"]}
    for line, row in own["records"]:
        digest = digests.pop(row["row"], None)
        if sha256(line.partition(b',"record":')[2][:-1]) != (row["redacted_digest"] or digest):
            fault("records.jsonl", row["row"], "is not what the digest of its version says")
    for name in digests:
        fault("records.jsonl", name, "is missing")
    for _, row in own["payloads"]:
        body = bytes.fromhex(row["body_hex"]) if "body_hex" in row else row["body"].encode()
        if sha256(body) != sealed.get(row["row"]) and not row["changed_by"]:
            fault("payloads.jsonl", row["row"], "is not what was sealed under this name")


def check_balances(folder, total):
    """Balance before + what was posted = balance after."""
    for sign, name in ((1, "before"), (-1, "after")):
        for _, row in read(folder, f"trial_balance_{name}.jsonl"):
            told = {"debit": row["debit"], "credit": row["credit"], "base": row["base_balance"]}
            total[row["account"], row["currency"]].update({kind: sign * amount for kind, amount in told.items()})
    for key, left in sorted(total.items()):
        if any(left.values()):
            fault(
                "trial_balance_after.jsonl",
                " ".join(key),
                f"the postings before and in the period differ by {dict(left)}",
            )
    for account in sorted(
        {account for account, _ in total} - {row["code"] for _, row in read(folder, "accounts.jsonl")}
    ):
        fault("accounts.jsonl", account, "is posted to, and is no account")


def check_audit(folder):
    seals = Following(folder, "sealed_audit.jsonl")
    for line, row in read(folder, "audit.jsonl"):
        if [sha256(line)] != [sealed["digest"] for _, sealed in seals.take(int(row["row"]))]:
            fault("audit.jsonl", row["row"], "is not what was sealed under this name")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument(
        "--anchors", nargs="+", type=Path, default=[], metavar="FILE", help="heads kept outside the database"
    )
    options = parser.parse_args()
    if not (options.folder / "MANIFEST.json").exists():
        print(f"there is no MANIFEST.json in {options.folder}", file=sys.stderr)
        return 2
    anchors = defaultdict(set)
    for number, hash_, *_ in (line.split() for path in options.anchors for line in path.read_text().splitlines()):
        anchors[int(number)].add(hash_)
    try:
        manifest = json.loads((options.folder / "MANIFEST.json").read_bytes())
        check_files(options.folder, manifest)
        check_seals(options.folder, manifest, anchors)
        check_balances(options.folder, check_entries(options.folder, manifest))
        check_audit(options.folder)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        fault("the pack", "its shape", f"is not what verify.py can read: {type(error).__name__} {error}")
    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    print(f"{sum(faults.values())} things do not hold" if faults else "everything holds")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
