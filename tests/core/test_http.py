"""The way out: which addresses it refuses, and that no answer can cost more than its time and its bytes."""

import datetime
import gzip
import ipaddress
import os
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from salessync.core import http
from salessync.core.http import UnableToReach


class Outside(ThreadingHTTPServer):
    """A server that answers as the test says, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.seen = []
        self.peers = set()
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        self.server.peers.add(self.client_address)
        self.server.answer(self)

    do_POST = do_GET  # noqa: N815

    def reply(self, body=b"{}", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self):
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def outside(settings):
    """`outside(answer)` starts a server on loopback, which the settings allow."""
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.0/8"]
    started = []

    def start(answer=Handler.reply):
        started.append(Outside(answer))
        return started[-1]

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def get(server, path="/", **more):
    return http.get_json(url=f"http://127.0.0.1:{server.port}{path}", **{"timeout": 5.0, **more})


def test_an_answer(outside):
    server = outside(lambda h: h.reply(b'{"rate": 1.10}', X_Page="2"))
    answer = get(server, params={"after": 3, "q": "a b"}, headers={"Authorization": "Bearer x"})
    assert str(answer.json()["rate"]) == "1.10" and answer.headers["x-page"] == "2"
    posted = http.post_json(url=f"http://127.0.0.1:{server.port}/in?x=1", body=b'{"a":1}', headers={"webhook-id": "m"})
    assert posted.status == 200
    (_, path, headers, _), (method, where, sent, body) = server.seen
    assert path == "/?after=3&q=a+b" and headers["Authorization"] == "Bearer x"
    assert (method, where, body) == ("POST", "/in?x=1", b'{"a":1}')
    assert (sent["Content-Type"], sent["webhook-id"]) == ("application/json", "m")


def test_one_connection_serves_many_calls(outside):
    server = outside()
    for _ in range(5):
        get(server)
    assert len(server.peers) == 1


def test_a_forked_child_has_connections_of_its_own(outside):
    server = outside()
    get(server)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if get(server).status == 200 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    get(server)
    assert len(server.peers) == 2


def test_cookies_are_not_kept_and_the_environment_is_not_asked(outside, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = outside(lambda h: h.reply(Set_Cookie="a=b; Path=/"))
    get(server)
    get(server)
    assert "Cookie" not in server.seen[1][2]


# --- which addresses

FORBIDDEN = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.1",
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:db8::1",
    "2002:a9fe:a9fe::1", "2001:0:7f00:1::", "fec0::1",
]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_is_not_public_is_forbidden(settings, address):
    settings.OUTBOUND_ALLOWED_CIDRS = []
    assert http._forbidden(ipaddress.ip_address(address), encrypted=True)


def test_teredo_leads_to_the_client_behind_it(settings):
    settings.OUTBOUND_ALLOWED_CIDRS = []
    hidden = ipaddress.ip_address((0x20010000 << 96) | (0x01010101 << 64) | (0xFFFFFFFF ^ 0x7F000001))
    assert "127.0.0.1" in http._forbidden(hidden, encrypted=True)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_what_is_public_needs_https(settings, address):
    settings.OUTBOUND_ALLOWED_CIDRS = []
    settings.DEBUG = False
    assert http._forbidden(ipaddress.ip_address(address), encrypted=True) is None
    assert http._forbidden(ipaddress.ip_address(address), encrypted=False) == "https is required"
    settings.DEBUG = True
    assert http._forbidden(ipaddress.ip_address(address), encrypted=False) is None


def test_a_private_network_can_be_allowed_and_debug_allows_loopback_only(settings):
    settings.OUTBOUND_ALLOWED_CIDRS = ["10.0.0.0/8", "fd00::/8"]
    for address in ("10.1.2.3", "fd00::1", "::ffff:10.1.2.3"):
        assert http._forbidden(ipaddress.ip_address(address), encrypted=False) is None
    settings.DEBUG = True
    assert http._forbidden(ipaddress.ip_address("127.0.0.1"), encrypted=False) is None
    assert http._forbidden(ipaddress.ip_address("192.168.0.1"), encrypted=False)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0",
    ],
)
def test_no_spelling_of_loopback_gets_through(outside, settings, host):
    server = outside()
    settings.OUTBOUND_ALLOWED_CIDRS = []
    with pytest.raises(UnableToReach) as error:
        http.get_json(url=f"http://{host}:{server.port}/", timeout=5.0)
    assert error.value.permanent and not server.seen


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.com/", "gopher://x/", "//example.com", "", "http://", "https:///x", "http://[::1",
     "http://user:secret@example.com/", "http://user@example.com/", "http://example.com:99999/", "http://example.com:x/"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UnableToReach) as error:
        http.get_json(url=url, timeout=1.0)
    assert error.value.permanent and "secret" not in str(error.value)


def resolve_to(monkeypatch, *addresses):
    """Every name leads to these, one list after the other."""
    asked = []

    def getaddrinfo(host, port, *_, **__):
        asked.append(host)
        found = addresses[min(len(asked), len(addresses)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_one_forbidden_address_of_a_name_is_enough(outside, settings, monkeypatch):
    server = outside()
    resolve_to(monkeypatch, ["127.0.0.1", "10.0.0.1"])
    with pytest.raises(UnableToReach, match=r"10\.0\.0\.1"):
        http.get_json(url=f"http://books.test:{server.port}/", timeout=5.0)
    assert not server.seen


def test_a_name_is_resolved_once_and_the_checked_address_connected_to(outside, monkeypatch):
    server = outside()
    asked = resolve_to(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    assert http.get_json(url=f"http://books.test:{server.port}/", timeout=5.0).status == 200
    assert asked == ["books.test"]
    assert server.seen[0][2]["Host"] == f"books.test:{server.port}"


def test_the_next_address_is_tried(outside, monkeypatch):
    server = outside()
    resolve_to(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    server_only_on_the_second = http.get_json(url=f"http://books2.test:{server.port}/", timeout=5.0)
    assert server_only_on_the_second.status == 200


def test_tls_keeps_the_name(outside, monkeypatch, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "books.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("books.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    chain, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    names = []
    context.sni_callback = lambda _, name, __: names.append(name)
    server = outside()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    resolve_to(monkeypatch, ["127.0.0.1"])
    with pytest.raises(UnableToReach, match=r"(?i)certificate"):  # nobody vouches for it
        http.get_json(url=f"https://books.test:{server.port}/", timeout=5.0)
    monkeypatch.setattr(http._session(), "verify", str(chain))
    assert http.get_json(url=f"https://books.test:{server.port}/", timeout=5.0).status == 200
    with pytest.raises(UnableToReach, match=r"(?i)hostname"):
        http.get_json(url=f"https://other.test:{server.port}/", timeout=5.0)
    assert set(names) == {"books.test", "other.test"}
    assert server.seen[0][2]["Host"] == f"books.test:{server.port}"


# --- what an answer may cost


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(outside, status):
    server = outside(lambda h: h.reply(status=status, Location="/elsewhere"))
    with pytest.raises(UnableToReach, match="redirects") as error:
        get(server)
    assert error.value.status == status and error.value.permanent and len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (400, True),
        (404, True),
        (408, False),
        (409, False),
        (422, True),
        (429, False),
        (500, False),
        (503, False),
    ],
)
def test_a_refusal_says_whether_later_helps(outside, status, permanent):
    with pytest.raises(UnableToReach, match=f"{status} no") as error:
        get(outside(lambda h: h.reply(b"no", status=status, Retry_After="7")))
    assert (error.value.status, error.value.permanent, error.value.retry_after) == (status, permanent, 7.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("10", 10), (" 10 ", 10), ("1000000000", 3600), ("9" * 5000, 3600), ("", None), (None, None), ("-1", None),
     ("1.5", None), ("soon", None), ("１０", None), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
     ("Fri, 99 Foo 0000 99:99:99 GMT", None)],
)  # fmt: skip
def test_retry_after(text, seconds):
    assert http.retry_after_seconds(text) == seconds


def long(handler):
    handler.reply(b" " * (http.MAX_ANSWER + 1))


def bomb(handler):
    handler.reply(gzip.compress(b" " * (http.MAX_ANSWER * 3)), Content_Encoding="gzip")


def endless(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")


@pytest.mark.parametrize("answer", [long, bomb, endless])
def test_an_answer_is_read_up_to_its_limit(outside, answer):
    with pytest.raises(UnableToReach, match="longer than"):
        get(outside(answer))


def silent(handler):
    time.sleep(3)


def slow_headers(handler):
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
        handler.wfile.write(bytes([byte]))
        time.sleep(0.1)


def slow_body(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def slow_body_without_length(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.1)


@pytest.mark.parametrize("answer", [silent, slow_headers, slow_body, slow_body_without_length])
def test_the_whole_call_ends_at_its_deadline(outside, answer):
    server = outside(answer)
    started = time.monotonic()
    with pytest.raises(UnableToReach, match=r"0\.5 s|timed out"):
        get(server, timeout=0.5)
    assert time.monotonic() - started < 1.0
    server.answer = Handler.reply
    assert get(server).status == 200


def test_a_handshake_that_never_ends_is_cut(settings):
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.0/8"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(UnableToReach):
            http.get_json(url=f"https://127.0.0.1:{port}/", timeout=0.5)
        assert time.monotonic() - started < 1.0


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1) or [])
    started = time.monotonic()
    with pytest.raises(UnableToReach, match="not resolved in time"):
        http.get_json(url="https://slow.test/", timeout=0.3)
    assert time.monotonic() - started < 1.0


def cut_body(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"{}")
    handler.close_connection = True


def no_answer(handler):
    handler.close_connection = True


def no_http(handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    handler.close_connection = True


def bad_gzip(handler):
    handler.reply(b"not gzip", Content_Encoding="gzip")


@pytest.mark.parametrize("answer", [cut_body, no_answer, no_http, bad_gzip])
def test_what_is_broken_is_unreachable_and_not_for_ever(outside, answer):
    with pytest.raises(UnableToReach) as error:
        get(outside(answer))
    assert not error.value.permanent


def test_nobody_listens_and_no_such_name(settings, monkeypatch):
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.0/8"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnableToReach, match=r"(?i)refused"):
        http.get_json(url=f"http://127.0.0.1:{port}/", timeout=5.0)

    def getaddrinfo(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(UnableToReach, match="does not resolve") as error:
        http.get_json(url="https://nowhere.test/", timeout=5.0)
    assert not error.value.permanent


@pytest.mark.parametrize("body", [b"", b"<html>", b"NaN", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_no_answer(body):
    with pytest.raises(UnableToReach):
        http.Answer(200, {}, body).json()


def test_a_header_that_would_split_the_request_is_refused(outside):
    server = outside()
    with pytest.raises(UnableToReach) as error:
        get(server, headers={"X-A": "a\r\nHost: evil"})
    assert error.value.permanent and not server.seen


def test_calls_in_many_threads_at_once(outside):
    server = outside(lambda h: (time.sleep(0.01), h.reply()))
    answers, errors = [], []

    def call():
        for _ in range(20):
            try:
                answers.append(get(server).status)
            except UnableToReach as error:
                errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == [] and answers == [200] * 320
