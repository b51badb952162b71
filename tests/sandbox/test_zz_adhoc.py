import random
from datetime import UTC, datetime, timedelta
import pytest
from salessync.sandbox import findings, shops
from salessync.sandbox.delivery import Play
from salessync.sandbox.shops import Day
from tests.sandbox.test_day import channels, work_through, DAY
from salessync import verify
pytestmark = pytest.mark.django_db

@pytest.mark.parametrize("seed", range(100,130))
def test_many(channels, seed):
    day = shops.business_day(sales=300, seed=seed, run=seed, day=DAY)
    if seed%2:
        d=list(day.play.deliveries); random.Random(seed).shuffle(d)
        day=Day(Play(d, day.play.duplicates, 0), day.truth, day.personal)
    before = findings.state(list(channels)); since=datetime.now(UTC)-timedelta(minutes=1)
    work_through(day, channels, batch=[50,500,13][seed%3])
    after = findings.state(list(channels))
    assert findings.quarantined(since) == day.truth.quarantined
    assert findings.change(before.balances, after.balances) == day.truth.nonzero()
    assert findings.change(before.stock, after.stock) == {k: v for k, v in day.truth.stock.items() if v}
    assert after.waiting == day.truth.orphans
    assert [law for law in verify.verify_books() if law.violations] == []
