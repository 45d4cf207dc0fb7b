#!/usr/bin/env python3
"""command_test.py CLASS COMMAND...: runs the cases of a class of this file against the sluice command."""
import http.server
import json
import os
import pty
import select
import signal
import subprocess
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from support import PATIENCE, SLUICE, Origin, WithOrigin, closed_port, main, script_server, sluice


class Arguments(WithOrigin):
    def test_help(self):
        for arguments in (["--help"], ["get", "--help"], ["serve", "--help"], ["load", "--help"], ["--version"]):
            result = sluice(*arguments)
            self.assertEqual(result.returncode, 0)
            self.assertIn(b"sluice" if len(arguments) == 1 else b"Usage", result.stdout)
        self.assertIn(b" 28  time ran out", sluice("get", "--help").stdout)

    def test_wrong_ones(self):
        for arguments in (
            [],
            ["nonsense"],
            ["get"],
            ["get", "--nonsense", self.url],
            ["get", "-H", "no colon", self.url],
            ["get", "-m", "soon", self.url],
            ["get", "-m", "-1", self.url],
            ["serve", "--port", "70000"],
            ["serve", "--port", "0", "--host", "example.org"],
            ["serve", "--port", "0", "--shards", "0"],
            ["load"],
            ["load", "-c", "0", self.url],
            ["load", "-n", "0", self.url],
            ["load", "-d", "10x", self.url],
            ["load", "-d", "", self.url],
            ["load", "-r", "0", self.url],
        ):
            with self.subTest(arguments=arguments):
                self.assertFails(sluice(*arguments), 2, "")

    def test_urls(self):
        for url in ("ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/", "http://a b/", ""):
            with self.subTest(url=url):
                self.assertFails(sluice("get", url), 3, "")
                self.assertFails(sluice("load", "-n", "1", url), 3, "")


class Get(WithOrigin):
    def output(self, *arguments, **options):
        result = sluice("get", *arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout

    def test_bodies(self):
        self.assertTrue(self.output(self.url + "/").startswith(b"<!DOCTYPE html>"))
        self.assertEqual(self.output(self.url + "/chunked/2"), b"chunk 0\nchunk 1\n")
        self.assertEqual(len(self.output(self.url + "/bytes/5000000")), 5000000)
        self.assertEqual(self.output(self.url.removeprefix("http://") + "/bytes/3"), b"012")

    def test_methods_and_data(self):
        self.assertTrue(self.output("-X", "delete", self.url + "/headers").startswith(b"DELETE /headers"))
        head = self.output("-d", "a=1", "-d", "b=2", self.url + "/headers")
        self.assertTrue(head.startswith(b"POST /headers"))
        self.assertIn(b"Content-Type: application/x-www-form-urlencoded\n", head)
        self.assertEqual(self.output("-d", "a=1", "-d", "b=2", self.url + "/echo"), b"a=1&b=2")
        self.assertEqual(self.output("-d", "@-", self.url + "/echo", stdin=None, input=b"from\nstdin"), b"from\nstdin")
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes(range(256)))
            file.flush()
            self.assertEqual(self.output("-d", "@" + file.name, self.url + "/echo"), bytes(range(256)))
        self.assertFails(sluice("get", "-d", "@/nonexistent", self.url), 26, "/nonexistent")
        self.assertFails(sluice("get", "-d", "@/", self.url), 26, "cannot read")

    def test_headers(self):
        head = self.output("-H", "X-A: 1", "-H", "X-A: 2", "-H", "User-Agent:", "-H", "X-Empty;", "-H",
                           "Accept: text/x", self.url + "/headers").decode().split("\n")
        self.assertEqual([line for line in head if line.startswith("X-A")], ["X-A: 1", "X-A: 2"])
        self.assertIn("X-Empty: ", head)
        self.assertIn("Accept: text/x", head)
        self.assertFalse([line for line in head if line.startswith("User-Agent")])

    def test_head_and_include(self):
        head = self.output("-I", self.url + "/bytes/10")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(head.endswith(b"\r\n\r\n"))
        self.assertIn(b"Content-Length: 10\r\n", head)
        self.assertTrue(self.output("-i", self.url + "/bytes/3").endswith(b"\r\n\r\n012"))

    def test_verbose(self):
        result = sluice("get", "-v", self.url + "/bytes/3")
        self.assertEqual((result.returncode, result.stdout), (0, b"012"))
        for line in (b"> GET /bytes/3 HTTP/1.1\n", b"> Host: ", b"< HTTP/1.1 200 OK\n", b"< Content-Length: 3\n"):
            self.assertIn(line, result.stderr)

    def test_fail(self):
        self.assertEqual(self.output(self.url + "/status/404"), b"404 Not Found\n")
        result = sluice("get", "-f", self.url + "/status/404")
        self.assertFails(result, 22, "404 Not Found")
        self.assertEqual(result.stdout, b"")
        silent = sluice("get", "-s", "-f", self.url + "/status/404")
        self.assertEqual((silent.returncode, silent.stderr), (22, b""))

    def test_connecting_fails(self):
        keeper, port = closed_port()
        with keeper:
            self.assertFails(sluice("get", f"http://127.0.0.1:{port}/"), 7, "ConnectError")
        self.assertFails(sluice("get", "--unix-socket", "/nonexistent", self.url), 7, "ConnectError")

    def test_names_without_address(self):
        self.assertFails(sluice("get", "http://no-such-host.invalid/"), 6, "no-such-host.invalid")

    def test_time(self):
        self.assertFails(sluice("get", "-m", "50ms", self.url + "/delay/60000"), 28, "DeadlineExceeded")
        self.assertEqual(self.output("-m", "60", self.url + "/delay/10"), b"waited 10 ms\n")

    def test_servers_that_misbehave(self):
        for reply, code in (
            (b"", 52),
            (b"no HTTP\r\n\r\n", 8),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", 18),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", 18),
        ):
            with self.subTest(reply=reply):
                url, thread = script_server(lambda connection: connection.sendall(reply))
                self.assertFails(sluice("get", url), code, "")
                thread.join(PATIENCE)

    def test_a_pipe_that_breaks(self):
        process = subprocess.Popen([*SLUICE, "get", self.url + "/bytes/1000000000000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(len(process.stdout.read(1000000)), 1000000)
        process.stdout.close()
        message = process.stderr.read()
        self.assertEqual(process.wait(PATIENCE), 23)
        self.assertEqual(message.count(b"\n"), 1)
        process.stderr.close()


class GetToFile(WithOrigin):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = self.folder / "file"

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_file(self):
        result = sluice("get", "-o", self.file, self.url + "/bytes/1000000")
        self.assertEqual((result.returncode, result.stdout), (0, b""))
        self.assertRegex(result.stderr.decode(), r"^1000000 bytes in [0-9.]+ s, [0-9.]+ MB/s\n$")
        self.assertEqual(self.file.stat().st_size, 1000000)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o666 & ~self.mask())
        self.assertEqual(self.names(), ["file"])

    @staticmethod
    def mask():
        mask = os.umask(0)
        os.umask(mask)
        return mask

    def test_through_a_link(self):
        link = self.folder / "link"
        self.file.write_text("old")
        link.symlink_to(self.file)
        self.assertEqual(sluice("get", "-s", "-o", link, self.url + "/bytes/3").stderr, b"")
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.file.read_text(), "012")

    def test_what_is_no_file(self):
        self.assertEqual(sluice("get", "-o", "/dev/null", self.url + "/bytes/3").returncode, 0)
        self.assertFails(sluice("get", "-o", self.folder, self.url), 23, "cannot write")
        self.assertFails(sluice("get", "-o", self.folder / "none" / "file", self.url), 23, "cannot write")
        self.assertFails(sluice("get", "-o", "/dev/full", self.url), 23, "No space left")

    def test_failures_leave_the_old_file(self):
        self.file.write_text("old")
        self.assertFails(sluice("get", "-f", "-o", self.file, self.url + "/status/404"), 22, "404")
        self.assertFails(sluice("get", "-m", "0.1", "-o", self.file, self.url + "/bytes/1000000000000"), 28, "")
        self.assertEqual(self.file.read_text(), "old")
        self.assertEqual(self.names(), ["file"])

    def start(self, url):
        """A transfer of which something has been written."""
        process = subprocess.Popen([*SLUICE, "get", "-o", self.file, url], stderr=subprocess.PIPE)
        while not any(path.stat().st_size for path in self.folder.iterdir()):
            self.assertIsNone(process.poll())
        return process

    def test_an_origin_that_dies(self):
        origin = Origin()
        process = self.start(origin.url + "/bytes/1000000000000")
        origin.stop(signal.SIGKILL)
        message = process.stderr.read()
        process.stderr.close()
        self.assertIn(process.wait(PATIENCE), (18, 56), message)
        self.assertEqual(self.names(), [])

    def test_interrupted(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            process = self.start(self.url + "/bytes/1000000000000")
            process.send_signal(how)
            self.assertEqual(process.wait(PATIENCE), 130)
            process.stderr.close()
            self.assertEqual(self.names(), [])


class Serve(unittest.TestCase):
    def test_signals_end_it(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            origin = Origin()
            self.assertRegex(origin.url, r"^http://127\.0\.0\.1:[0-9]+$")
            self.assertEqual(origin.stop(how), 0)

    def test_stops_while_busy(self):
        origin = Origin()
        process = subprocess.Popen([*SLUICE, "load", "-d", "60s", origin.url + "/bytes/100"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()
        sluice("get", origin.url)
        self.assertEqual(origin.stop(), 0)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)

    def test_other_addresses(self):
        origin = Origin("--port", "0", "--host", "127.0.0.2")
        self.assertTrue(origin.url.startswith("http://127.0.0.2:"))
        self.assertEqual(sluice("get", origin.url + "/bytes/1").stdout, b"0")
        self.assertEqual(origin.stop(), 0)
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/socket"
            origin = Origin("--unix-socket", path)
            self.assertEqual(origin.url, "unix:" + path)
            self.assertEqual(sluice("get", "--unix-socket", path, "http://any/bytes/1").stdout, b"0")
            result = sluice("load", "--json", "-n", "10", "--unix-socket", path, "http://any/bytes/1")
            self.assertEqual(json.loads(result.stdout)["requests"], 10)
            self.assertEqual(origin.stop(), 0)
            self.assertEqual(os.listdir(folder), [])

    def test_shards(self):
        origin = Origin("--port", "0", "--shards", "3")
        for _ in range(20):
            self.assertEqual(sluice("get", origin.url + "/bytes/1").stdout, b"0")
        self.assertEqual(origin.stop(), 0)

    def test_a_port_in_use(self):
        origin = Origin()
        for shards in ("1", "2"):
            result = sluice("serve", "--port", origin.url.split(":")[2], "--shards", shards)
            self.assertEqual(result.returncode, 71)
            self.assertIn(b"in use", result.stderr)
        self.assertEqual(origin.stop(), 0)

    def test_a_foreign_client(self):
        origin = Origin()
        body = os.urandom(1000000)
        with urllib.request.urlopen(origin.url + "/echo", data=body, timeout=PATIENCE) as response:
            self.assertEqual(response.read(), body)
        with urllib.request.urlopen(origin.url + "/chunked/100", timeout=PATIENCE) as response:
            self.assertTrue(response.read().endswith(b"chunk 99\n"))
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(origin.url + "/status/418", timeout=PATIENCE)
        self.assertEqual(caught.exception.code, 418)
        caught.exception.close()
        self.assertEqual(origin.stop(), 0)


KEYS = ["requests", "errors", "status", "unfinished", "seconds", "requests_per_second", "body_bytes", "wire_bytes",
        "latency_us", "cpu_us_per_request", "user_us_per_request", "system_us_per_request", "enters_per_request",
        "connections_opened"]


class Load(WithOrigin):
    def load(self, *arguments, code=0):
        result = sluice("load", "--json", *arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout.count(b"\n"), 1)
        return json.loads(result.stdout)

    def test_report(self):
        report = self.load("-n", "5000", "-c", "8", self.url + "/bytes/100")
        self.assertEqual(list(report), KEYS)
        self.assertEqual((report["requests"], report["errors"], report["status"]), (5000, {}, {"200": 5000}))
        self.assertEqual(report["body_bytes"], 500000)
        self.assertGreater(report["wire_bytes"], 500000 + 5000 * 50)
        self.assertEqual((report["connections_opened"], report["unfinished"]), (8, 0))
        self.assertAlmostEqual(report["requests_per_second"], 5000 / report["seconds"], delta=1)
        latency = report["latency_us"]
        self.assertEqual(list(latency), ["min", "mean", "p50", "p90", "p99", "p99.9", "max"])
        self.assertEqual(sorted(latency[key] for key in latency if key != "mean"),
                         [latency[key] for key in latency if key != "mean"])
        self.assertTrue(0 < latency["min"] <= latency["mean"] <= latency["max"])
        self.assertAlmostEqual(report["cpu_us_per_request"],
                               report["user_us_per_request"] + report["system_us_per_request"])
        self.assertGreater(report["enters_per_request"], 0)

    def test_exact_numbers(self):
        for requests, connections, shards in (("1", "64", "4"), ("101", "7", "2"), ("10007", "64", "3")):
            report = self.load("-n", requests, "-c", connections, "-s", shards, self.url + "/status/500")
            self.assertEqual(report["status"], {"500": int(requests)})
            self.assertLessEqual(report["connections_opened"], min(int(requests), int(connections)))

    def test_bodies_are_thrown_away_unless_they_are_wanted(self):
        headers = self.load("-n", "3", self.url + "/headers", "--keep")
        self.assertEqual(headers["status"], {"200": 3})
        for options in ([], ["--keep"]):
            report = self.load("-n", "4", "-c", "2", *options, self.url + "/bytes/3000000")
            self.assertEqual(report["body_bytes"], 12_000_000)
            self.assertEqual(report["errors"], {})
        # What cannot be decoded is noticed by who decodes.
        broken = self.url + "/fault/gzip"
        self.assertEqual(self.load("-n", "2", broken)["errors"], {})
        report = self.load("-n", "2", "--decode", broken, code=1)
        self.assertEqual(report["errors"], {"DecodingError": 2})

    def test_duration(self):
        report = self.load("-d", "300ms", "-c", "4", self.url + "/bytes/1")
        self.assertTrue(0.3 <= report["seconds"] < 10)
        self.assertEqual(report["requests"], sum(report["status"].values()))
        self.assertLessEqual(report["unfinished"], 4)
        report = self.load("-n", "1000000000", "-d", "100ms", self.url + "/bytes/1")
        self.assertLess(report["requests"], 1000000000)

    def test_rate(self):
        report = self.load("-r", "500", "-d", "1s", "-c", "10", "-s", "2", self.url + "/bytes/1")
        self.assertTrue(400 <= report["requests"] <= 501, report)

    def test_a_rate_hides_no_stall(self):
        report = self.load("-r", "1000", "-n", "20", "-c", "1", self.url + "/delay/20")
        self.assertGreater(report["latency_us"]["max"], 19 * 20000 - 20000, "the last waits for all before it")

    def test_bodies_and_methods(self):
        report = self.load("-n", "10", "-b", "x" * 1000, self.url + "/echo")
        self.assertEqual(report["body_bytes"], 10000)
        report = self.load("-n", "10", "-m", "PUT", "-H", "X-A: 1", self.url + "/bytes/1")
        self.assertEqual(report["status"], {"405": 10})

    def test_errors(self):
        keeper, port = closed_port()
        with keeper:
            report = self.load("-n", "5", "-c", "2", f"http://127.0.0.1:{port}/", code=1)
        self.assertEqual((report["requests"], report["errors"], report["status"]), (0, {"ConnectError": 5}, {}))
        report = self.load("-n", "2", "-c", "2", "--timeout", "50ms", self.url + "/delay/60000", code=1)
        self.assertEqual(report["errors"], {"ReadTimeout": 2})

    def test_interrupted(self):
        process = subprocess.Popen([*SLUICE, "load", "-d", "10m", self.url + "/bytes/1"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        self.wait_for_requests()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(errors, "", "nothing is drawn when standard error is no terminal")
        for word in ("requests", "200", "errors", "latency", "p99.9", "CPU", "enters", "connections"):
            self.assertIn(word, output)

    def wait_for_requests(self):
        """Until a load beside ours has been served: then ours has, too."""
        self.load("-d", "200ms", self.url + "/bytes/1")

    def test_live_line_on_a_terminal(self):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([*SLUICE, "load", "-d", "1s", "--json", self.url + "/bytes/1"],
                                   stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        output = process.communicate(timeout=PATIENCE)[0]
        drawn = b""
        while select.select([ours], [], [], 0)[0]:
            try:
                drawn += os.read(ours, 65536)
            except OSError:  # the terminal's other end is closed
                break
        os.close(ours)
        self.assertIn(b"requests/s", drawn)
        self.assertIn(b"p99", drawn)
        self.assertTrue(drawn.endswith(b"\r\x1b[K"))
        self.assertNotIn(b"\n", drawn)
        self.assertEqual(list(json.loads(output)), KEYS)

    def test_a_foreign_origin(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            report = self.load("-n", "100", "-c", "4", f"http://127.0.0.1:{server.server_port}/")
            server.shutdown()
        self.assertEqual(report["status"], {"200": 100})
        self.assertEqual(report["body_bytes"], 500)


if __name__ == "__main__":
    main()
