"""`python -m tests.golden [ADAPTER]`: write what the golden payloads become now; prints what changed, for review."""

import sys

from tests.golden import cases


def main() -> None:
    """Rewrite every expectation that differs."""
    for case in cases(sys.argv[1] if len(sys.argv) > 1 else "*"):
        outcome, expected = case.outcome(), case.expected()
        if outcome == expected:
            continue
        for name in expected.keys() - outcome.keys():
            (case.folder / name).unlink()
        for name, text in outcome.items():
            (case.folder / name).write_text(text, encoding="utf-8")
        print(case.name)


if __name__ == "__main__":
    main()
