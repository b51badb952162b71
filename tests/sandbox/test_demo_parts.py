"""What the demo stands on: keys, ports, a login, and the reading of Bookkeeper's file."""

import socket
import stat

import pytest
from django.contrib.auth import get_user_model

from salessync.sandbox import demo, second_opinion, summary

BOOKS = """
1970-01-01 open Assets:Till
1970-01-01 open Income:Sales
2026-09-01 * "till" "sale 1"
  Assets:Till   12.50 USD
  Income:Sales -12.50 USD
2026-09-01 * "shop" "sale 2"
  Assets:Till   1000 JPY
  Income:Sales -1000 JPY
2026-09-02 * "till" "refund 1"
  Assets:Till  -12.50 USD
  Income:Sales  12.50 USD
"""


def test_keys_are_made_once_and_are_nobody_elses_business(tmp_path):
    made = demo.keys(tmp_path / "demo")
    assert demo.keys(tmp_path / "demo") == made
    assert len({made.password, made.bookkeeper, *made.channels.values()}) == 2 + 3
    assert stat.S_IMODE((tmp_path / "demo" / "keys.json").stat().st_mode) == 0o600


def test_a_taken_port_gives_way_to_the_next():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < demo.free_port(port) < port + 100


@pytest.mark.django_db
def test_the_login_is_made_once_and_a_changed_password_stays():
    assert demo.ensure_login("first") == "first"
    assert demo.ensure_login("first") == "first"
    admin = get_user_model().objects.get(username="admin")
    assert admin.is_superuser
    admin.set_password("my own")
    admin.save()
    assert demo.ensure_login("first") == "(as you have set it)"
    admin.refresh_from_db()
    assert admin.check_password("my own")


def test_bookkeepers_file_is_read_by_beancount(tmp_path):
    file = tmp_path / "books.beancount"
    file.write_text(BOOKS)
    assert second_opinion.bean_check(file) == []
    assert second_opinion.balances(file) == {("Assets:Till", "JPY"): 1000, ("Income:Sales", "JPY"): -1000}
    file.write_text(BOOKS.replace("-12.50", "-12.49"))
    assert "does not balance" in " ".join(second_opinion.bean_check(file))


def test_a_process_that_ends_is_noticed_while_waiting():
    def alive():
        raise demo.DemoFailed("web has ended with 3")

    with pytest.raises(demo.DemoFailed, match="web has ended"):
        demo.wait_until_ready({"web": "http://127.0.0.1:1/"}, alive)


def test_money_reads_like_money():
    assert summary.money(123450, "USD") == "1,234.50 USD"
    assert summary.money(-5, "JPY") == "-5 JPY"
