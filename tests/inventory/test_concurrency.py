"""Workers side by side: carts in opposite order, the same hot product, refunds beside their sales. Nothing lost, no deadlock."""

from ledger.models import JournalEntry
from salessync import pipeline, verify
from salessync.core import nudge
from tests.records import back, line, refund, sale
from tests.threads import at_once
from tests.worlds import World


def test_four_workers_agree_with_one(committed_db, django_db_blocker, monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: True)
    with django_db_blocker.unblock():
        world = World(stock="MUG,100\nCAP,100\nPEN,100")
        for number in range(120):
            skus = ["MUG", "CAP", "PEN"] if number % 2 else ["PEN", "CAP", "MUG"]
            lines = [line(str(i), sku=sku) for i, sku in enumerate(skus)]
            world.capture(sale(lines, id_=f"S{number}"))
            world.capture(refund([back(lines[0], units=1, net=1000, tax=40)], id_=f"R{number}", of=f"S{number}"))

        def work():
            while pipeline.run_batch(size=7):
                pass

        at_once(4, work)
        world.process()
        assert world.states() == {"posted": 240}
        assert world.stock() == {"MUG": (40, 0), "CAP": (-20, 0), "PEN": (40, 0)}
        assert JournalEntry.objects.count() == 240
        seqs = list(JournalEntry.objects.order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, 241))
        assert [law for law in verify.verify_books() if law.violations] == []
