#!/usr/bin/env python3
"""tls_test.py CLASS COMMAND...: https with `sluice get`, `load` and `fetch`."""
import http.server
import json
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path

from support import SLUICE, WithOrigin, main, sluice


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secret")

    def log_message(self, *arguments):
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that do not believe us


def serve(folder, **context_settings):
    """An https server with the certificate in the folder; gives its port and what ends it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    for name, value in context_settings.items():
        setattr(context, name, value)
    server = QuietServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def stop():
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_address[1], stop


class Tls(WithOrigin):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = Path(cls.temporary.name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", "own.key", "-out", "own.pem", "-days", "30", "-subj", "/CN=test",
                        "-addext", "subjectAltName=DNS:localhost"], cwd=cls.folder, check=True, capture_output=True)
        cls.port, stop = serve(cls.folder)
        cls.addClassCleanup(stop)
        cls.secure = f"https://localhost:{cls.port}/"
        cls.trust = ("--cacert", str(cls.folder / "own.pem"))

    def test_get(self):
        result = sluice("get", "-v", *self.trust, self.secure)
        self.assertEqual((result.returncode, result.stdout), (0, b"secret"), result.stderr)
        log = result.stderr.decode()
        self.assertRegex(log, r"\* TLS: TLSv1\.3, TLS_\w+, ALPN none, full handshake, kTLS none\n")
        self.assertRegex(log, r"\* Certificate: CN=test; issuer CN=test; valid from \d{4}-.* until \d{4}-")

    def test_certificates_that_are_not_believed(self):
        self.assertFails(sluice("get", self.secure), 60, "self-signed")
        other = f"https://127.0.0.1:{self.port}/"
        self.assertFails(sluice("get", *self.trust, other), 60, "not for 127.0.0.1: it is for localhost")
        result = sluice("get", *self.trust, "--sni", "localhost", other)
        self.assertEqual((result.returncode, result.stdout), (0, b"secret"), result.stderr)

    def test_insecure_is_loud(self):
        result = sluice("get", "-k", self.secure)
        self.assertEqual((result.returncode, result.stdout), (0, b"secret"))
        self.assertIn(b"not verified", result.stderr)

    def test_pins(self):
        pin = "sha256//" + "A" * 43 + "="
        self.assertFails(sluice("get", *self.trust, "--pinned-pubkey", pin, self.secure), 35, "pinned")
        self.assertFails(sluice("get", "--pinned-pubkey", "sha256//short", self.secure), 58, "short")

    def test_versions_and_ciphers(self):
        port, stop = serve(self.folder, maximum_version=ssl.TLSVersion.TLSv1_2)
        self.addCleanup(stop)
        old = f"https://localhost:{port}/"
        self.assertFails(sluice("get", *self.trust, "--tls-min", "1.3", old), 35, "version")
        result = sluice("get", "-v", *self.trust, "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384", old)
        self.assertIn(b"TLSv1.2, ECDHE-ECDSA-AES256-GCM-SHA384", result.stderr)
        result = sluice("get", "-v", *self.trust, "--tls-max", "1.2", self.secure)
        self.assertIn(b"TLSv1.2", result.stderr)

    def test_arguments_that_mean_nothing(self):
        self.assertFails(sluice("get", "--tls-min", "3", self.secure), 2, "'3'")
        self.assertFails(sluice("get", "--key", "x", self.secure), 2, "--cert")
        self.assertFails(sluice("get", "--cacert", "/nonexistent", self.secure), 58, "/nonexistent")
        self.assertFails(sluice("get", "--cert", str(self.folder / "own.pem"), self.secure), 58, "private key")

    def test_plain_http(self):
        self.assertFails(sluice("get", self.url.replace("http:", "https:")), 35, "TLS")

    def test_load(self):
        result = sluice("load", "-n", "50", "-c", "4", "--json", *self.trust, self.secure)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"50", result.stdout)
        self.assertFails(sluice("load", "-n", "1", "--cacert", "/nonexistent", self.secure), 58, "/nonexistent")

    def test_fetch(self):
        lines = (self.secure + "\n") * 10
        result = subprocess.run([*SLUICE, "fetch", *self.trust], input=lines.encode(), capture_output=True,
                                timeout=60, check=False)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([row.get("body") for row in rows], ["secret"] * 10, result.stderr)
        result = subprocess.run([*SLUICE, "fetch"], input=lines.encode(), capture_output=True, timeout=60,
                                check=False)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual({(row["error"]["type"], row["error"]["phase"]) for row in rows}, {("ConnectError", "tls")})


if __name__ == "__main__":
    main()
