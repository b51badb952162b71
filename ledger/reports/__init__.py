"""What the books say. Reads only; answered from the kept sums (ledger/balances), so that no report grows with the age of the books."""

from ledger.reports.report import Column, Kind, Report, Tie
from ledger.reports.trial import BalanceRow, Totals, totals, trial_balance

__all__ = ["BalanceRow", "Column", "Kind", "Report", "Tie", "Totals", "totals", "trial_balance"]
