"""What the demo prints in the end: the day in figures, and each claim that was checked."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from salessync import verify
from salessync.core.money import minor_digits
from salessync.sandbox import findings, second_opinion, shops
from salessync.sandbox.demo import Outcome
from salessync.sandbox.findings import Percentiles, change, listed, plural


class Check(NamedTuple):
    """One claim: it holds where `wrong` is empty."""

    claim: str
    wrong: list[str]


def figures(outcome: Outcome) -> Iterator[str]:
    """The day in figures, one line each."""
    since, plan, score = outcome.since, outcome.plan, outcome.score
    yield f"{outcome.day:%A, %d %B %Y} in the shops (day {outcome.run} of this demo)"
    yield ""
    yield from _by_channel(outcome)
    yield ""
    _, twice = findings.copies(since)
    yield _line(
        "webhooks",
        f"{score.accepted} accepted in {outcome.seconds:.0f} s, {plural(score.retries, 'retry')};"
        f" {twice} duplicates suppressed, {findings.early(since)} payments and refunds came before their sale",
    )
    states = findings.event_states(since)
    yield _line("inbox", ", ".join(f"{states[state]} {state}" for state in sorted(states)))
    yield _line("ignored", listed(findings.ignored(since).items()) or "nothing")
    yield _line("quarantined", listed(findings.quarantined(since).items()) or "nothing")
    yield _line("latency", f"webhook → posted        {_latency(findings.latency_to_posted(since))}")
    yield _line("", f"webhook → acknowledged  {_latency(findings.latency_to_acknowledged(since))}")
    short = ", ".join(f"{sku} {level}" for sku, level in findings.oversold())
    yield _line(
        "stock",
        f"oversold: {short or 'nothing'}; in no catalogue: {', '.join(findings.unmapped()) or 'nothing'}",
    )
    sent = findings.deliveries()
    yield _line("Bookkeeper", f"{sent.get('acknowledged', 0)} of {sum(sent.values())} journal entries acknowledged")
    if plan.truth.unbalanced():
        yield _line("shops", f"their own figures do not balance: {plan.truth.unbalanced()}")


def _by_channel(outcome: Outcome) -> Iterator[str]:
    yield f"  {'channel':<14}{'sales':>7}{'refunds':>9}{'net revenue':>20}"
    sales = change(outcome.before.sales, outcome.after.sales)
    refunds = change(outcome.before.refunds, outcome.after.refunds)
    booked = change(outcome.before.balances, outcome.after.balances)
    for channel in shops.CHANNELS:
        revenue = -sum(
            amount
            for (slug, currency, account), amount in booked.items()
            if slug == channel.slug and currency == channel.currency and account.startswith("Income:")
        )
        yield (
            f"  {channel.slug:<14}{sales.get(channel.slug, 0):>7}{refunds.get(channel.slug, 0):>9}"
            f"{money(revenue, channel.currency):>20}"
        )


def _line(what: str, text: str) -> str:
    return f"  {what:<14}{text}"


def _latency(found: Percentiles) -> str:
    return f"p50 {found.p50:.0f} ms, p95 {found.p95:.0f} ms, p99 {found.p99:.0f} ms ({found.n})"


def money(amount: int, currency: str) -> str:
    """ "1,234.50 USD"."""
    digits = minor_digits(currency)
    return f"{Decimal(amount).scaleb(-digits):,.{digits}f} {currency}"


def checks(outcome: Outcome, books: Path) -> Iterator[Check]:
    """Every claim, one after the other."""
    truth = outcome.plan.truth
    yield Check("every webhook was accepted", [f"{n} times {what}" for what, n in outcome.score.refused.items()])
    yield Check("every accepted webhook is in the inbox, once", findings.not_stored(outcome.ground_truth))
    yield _same(
        "sales and refunds are the shops' own",
        {f"{slug} sales": n for slug, n in change(outcome.before.sales, outcome.after.sales).items()}
        | {f"{slug} refunds": n for slug, n in change(outcome.before.refunds, outcome.after.refunds).items()},
        {f"{slug} sales": n for slug, n in truth.sales.items()}
        | {f"{slug} refunds": n for slug, n in truth.refunds.items()},
    )
    yield _same(
        f"the day's books are what the shops know: {len(truth.nonzero())} balances by channel and account",
        change(outcome.before.balances, outcome.after.balances),
        truth.nonzero(),
    )
    yield _same(
        "the shelves are what the shops know",
        change(outcome.before.stock, outcome.after.stock),
        _without_zeros(truth.stock),
    )
    yield _same("what is quarantined is what was bad", findings.quarantined(outcome.since), truth.quarantined)
    yield _same(
        "only payments without their order wait",
        {"n": outcome.after.waiting - outcome.before.waiting},
        {"n": truth.orphans},
    )
    yield _laws()
    yield from _bookkeeper(books)


def _without_zeros(counts: dict[str, int]) -> dict[str, int]:
    return {key: count for key, count in counts.items() if count}


def _same(claim: str, found: dict[Any, int], expected: dict[Any, int]) -> Check:
    wrong = [
        f"{key if isinstance(key, str) else ' '.join(key)}: {found.get(key, 0)}, expected {expected.get(key, 0)}"
        for key in sorted(set(found) | set(expected))
        if found.get(key, 0) != expected.get(key, 0)
    ]
    return Check(claim, wrong)


def _laws() -> Check:
    laws = verify.verify_books()
    wrong = [f"{law.law}: {law.violations} violations {law.examples}" for law in laws if law.violations]
    violations = sum(law.violations for law in laws)
    return Check(f"verify_books: {violations} violations of {len(laws)} laws", wrong)


def _bookkeeper(books: Path) -> Iterator[Check]:
    sent = findings.deliveries()
    missing = [f"{count} {state}" for state, count in sent.items() if state != "acknowledged"]
    yield Check("Bookkeeper has acknowledged every journal entry", missing + findings.refusals())
    yield Check("bean-check accepts Bookkeeper's file", second_opinion.bean_check(books))
    ours, theirs = findings.trial_balance(), second_opinion.balances(books)
    yield Check(
        f"Bookkeeper's file has our trial balance: {len(ours)} balances by account and currency",
        findings.differences(ours, theirs),
    )
