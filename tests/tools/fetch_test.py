#!/usr/bin/env python3
"""fetch_test.py CLASS COMMAND...: runs the cases of a class of this file against `sluice fetch`."""
import base64
import collections
import fcntl
import gzip
import http.server
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from support import PATIENCE, SLUICE, Origin, WithOrigin, closed_port, main, on_terminal, sluice

# How many URLs the run with faults has; fewer where the command is slow.
URLS = int(os.environ.get("SLUICE_FETCH_URLS", "10000"))


class WithFetch(WithOrigin):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def fetch(self, lines, *arguments, code=0):
        """Runs a list; gives its rows."""
        text = lines if isinstance(lines, bytes) else "".join(
            (line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines).encode()
        result = sluice("fetch", *arguments, stdin=None, input=text)
        self.assertEqual((result.returncode, result.stderr), (code, b""))
        self.assertTrue(result.stdout.endswith(b"\n") or not result.stdout)
        return [json.loads(row) for row in result.stdout.splitlines()]

    def by_id(self, lines, *arguments):
        rows = self.fetch(lines, *arguments)
        self.assertEqual(len({row["id"] for row in rows}), len(rows))
        return {row["id"]: row for row in rows}

    def one(self, line, *arguments):
        rows = self.fetch([line], *arguments)
        self.assertEqual(len(rows), 1)
        return rows[0]

    def start(self, *arguments, **options):
        process = subprocess.Popen([*SLUICE, "fetch", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, **options)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=PATIENCE)

        self.addCleanup(end)
        return process


    def end_of(self, process):
        """What is left of the output, read behind what was read before, and the errors."""
        output, errors = process.stdout.read(), process.stderr.read()
        process.wait(PATIENCE)
        return output, errors


class Input(WithFetch):
    def test_urls(self):
        url = self.url + "/bytes/3"
        rows = self.by_id((url + "\r\n\n   \n" + url.removeprefix("http://") + "\n\t" + url).encode())
        self.assertEqual(sorted(rows), [1, 4, 5])
        self.assertEqual({row["body"] for row in rows.values()}, {"012"})
        self.assertEqual({row["url"] for row in rows.values()}, {url})

    def test_nothing(self):
        self.assertEqual(self.fetch([]), [])
        self.assertEqual(self.fetch(["", ""]), [])

    def test_requests(self):
        row = self.one({"id": "a", "method": "patch", "url": self.url + "/headers",
                        "headers": [["X-A", "1"], ["X-A", "2"], ["User-Agent", "me"]]}, "-H", "X-B: 3", "-H", "X-A: 0")
        head = row["body"].split("\n")
        self.assertEqual((row["id"], head[0]), ("a", "PATCH /headers HTTP/1.1"))
        for line in ("X-A: 1", "X-A: 2", "X-B: 3", "User-Agent: me"):
            self.assertIn(line, head)
        self.assertNotIn("X-A: 0", head)

    def test_bodies(self):
        file = self.folder / "body"
        file.write_bytes(bytes(range(256)))
        echo = {"method": "POST", "url": self.url + "/echo"}
        self.assertEqual(self.one({**echo, "body": "gr\u00fcn\n"})["body"], "gr\u00fcn\n")
        self.assertEqual(self.one({**echo, "body": ""})["body"], "")
        for size in range(5):
            body = bytes(range(200, 200 + size))
            row = self.one({**echo, "body_base64": base64.b64encode(body).decode()})
            self.assertEqual(base64.b64decode(row.get("body_base64", "")), body)
        row = self.one({**echo, "body_file": str(file)})
        self.assertEqual(base64.b64decode(row["body_base64"]), bytes(range(256)))

    def test_a_body_file_that_is_not_there(self):
        row = self.one({"id": 5, "url": self.url, "method": "PUT", "body_file": "/nonexistent"})
        self.assertEqual((row["id"], row["error"]["type"], row["error"]["phase"]), (5, "SystemError", "setup"))
        self.assertIn("/nonexistent", row["error"]["message"])

    def test_wrong_lines(self):
        url = self.url + "/"
        wrong = ['{', '{"url": 5}', '{}', '{"url": "http://a/"} x', '{"url": "',
                 {"url": url, "headers": {"a": "b"}}, {"url": url, "headers": [["a"]]},
                 {"url": url, "headers": [["a", 1]]},
                 {"url": url, "body": 1}, {"url": url, "body": "a", "body_base64": "YQ=="},
                 {"url": url, "body_base64": "a"}, {"url": url, "body_base64": "!!!!"},
                 {"url": url, "body_base64": "YQ==YQ=="},
                 {"url": url, "timeout": -1}, {"url": url, "timeout": "soon"}, {"url": url, "timeout": []},
                 {"url": url, "follow_redirects": "yes"}, {"url": url, "id": [1]}, {"url": url, "method": 1},
                 {"url": url, "header": []}]
        rows = self.by_id([*wrong, url])
        self.assertEqual(sorted(rows), list(range(1, len(wrong) + 2)))
        self.assertEqual(rows.pop(len(wrong) + 1)["status"], 200)
        for line, row in rows.items():
            with self.subTest(line=wrong[line - 1]):
                self.assertEqual((row["error"]["type"], row["error"]["phase"]), ("InvalidInput", "input"))
                self.assertTrue(row["error"]["message"].startswith(f"line {line}: "), row["error"])

    def test_a_wrong_request_keeps_its_id(self):
        self.assertEqual(self.one({"id": "mine", "url": self.url, "nonsense": 1})["id"], "mine")

    def test_bytes_that_are_no_text(self):
        row = self.fetch(b'{"url": "\xff"}\n')[0]
        self.assertEqual(row["error"]["type"], "InvalidInput")
        row = self.fetch(self.url.encode() + b"/headers?\xff\n")[0]
        self.assertIn("GET /headers?%FF HTTP", row["body"])

    def test_urls_that_cannot_be_requested(self):
        rows = self.by_id(["ftp://127.0.0.1/", "http://a b/", "http://", "https://127.0.0.1:1/",
                           {"id": "x", "url": self.url, "headers": [["a b", "c"]]}])
        self.assertEqual([rows[key]["error"]["type"] for key in (1, 2, 3, "x")],
                         ["UnsupportedProtocol", "InvalidURL", "UnsupportedProtocol", "LocalProtocolError"])

    def test_a_long_line(self):
        url = (self.url + "/bytes/3").encode()
        rows = self.fetch(b"x" * (17 * 1024 * 1024) + b"\n" + url)
        rows.sort(key=lambda row: row["id"])
        self.assertIn("longer than", rows[0]["error"]["message"])
        self.assertEqual((rows[1]["id"], rows[1]["body"]), (2, "012"))

    def test_from_a_file(self):
        file = self.folder / "list"
        file.write_text(self.url + "/bytes/1\n" + self.url + "/bytes/2")
        result = sluice("fetch", file)
        self.assertEqual((result.returncode, result.stdout.count(b"\n")), (0, 2))
        self.assertFails(sluice("fetch", "/nonexistent"), 26, "/nonexistent")
        self.assertFails(sluice("fetch", self.folder), 26, "directory")

    def test_unix_sockets(self):
        path = str(self.folder / "socket")
        origin = Origin("--unix-socket", path)
        self.assertEqual(self.one("http://any/bytes/3", "--unix-socket", path)["body"], "012")
        self.assertEqual(origin.stop(), 0)

    def test_timeouts(self):
        slow = self.url + "/delay/60000"
        self.assertEqual(self.one({"url": slow, "timeout": 0.05})["error"]["type"], "ReadTimeout")
        self.assertEqual(self.one({"url": slow, "timeout": "50ms"})["error"]["type"], "ReadTimeout")
        self.assertEqual(self.one(slow, "--timeout", "50ms")["error"]["type"], "ReadTimeout")
        row = self.one(self.url + "/fault/slow/100000", "-m", "0.1", "--timeout", "60s")
        self.assertEqual(row["error"]["type"], "DeadlineExceeded")

    def test_wrong_arguments(self):
        for arguments in (["--concurrency", "0"], ["--per-host", "0"], ["--rate", "0"], ["--timeout", "soon"],
                          ["--max-time", "x"], ["--body", "none"], ["--body", "7"], ["--body", "file"],
                          ["--output-dir", "x"],
                          ["--max-body", "many"], ["--max-redirs", "-1"], ["-H", "no colon"],
                          ["--nonsense"], ["a", "b"]):
            with self.subTest(arguments=arguments):
                self.assertFails(sluice("fetch", *arguments), 2, "")

    def test_help(self):
        text = sluice("fetch", "--help").stdout.decode()
        for word in ("body_base64", "elapsed_ms", "--per-host", "follow_redirects"):
            self.assertIn(word, text)


class Output(WithFetch):
    def test_members(self):
        row = self.one({"id": 7, "url": self.url + "/bytes/5"})
        self.assertEqual(list(row), ["id", "url", "status", "reason", "http_version", "headers", "trailers", "body",
                                     "bytes_downloaded", "decoded_bytes", "elapsed_ms", "history"])
        self.assertEqual((row["status"], row["reason"], row["http_version"]), (200, "OK", "HTTP/1.1"))
        self.assertIn(["Content-Length", "5"], row["headers"])
        self.assertEqual((row["bytes_downloaded"], row["decoded_bytes"], row["trailers"]), (5, 5, []))
        self.assertTrue(0 < row["elapsed_ms"] < PATIENCE * 1000)
        row = self.one(self.url + "/fault/close")
        self.assertEqual(list(row), ["id", "url", "elapsed_ms", "error"])
        self.assertEqual(list(row["error"]), ["type", "phase", "message"])

    def test_errors_after_the_head(self):
        row = self.one(self.url + "/fault/truncate/4")
        self.assertEqual((row["status"], row["bytes_downloaded"]), (200, 4))
        self.assertEqual((row["error"]["type"], row["error"]["phase"]), ("RemoteProtocolError", "body"))
        self.assertNotIn("body", row)

    def test_bodies_that_are_no_text(self):
        for body in (b"\xff", b"a\x00b", b"\xe2\x82\xac", b"\xe2\x82", b"\xc0\x80", b"\xed\xa0\x80", b""):
            text = base64.b64encode(body).decode()
            row = self.one({"url": self.url + "/echo", "method": "POST", "body_base64": text})
            if "body" in row:
                self.assertEqual(row["body"].encode(), body)
            else:
                self.assertRaises(UnicodeDecodeError, body.decode)
                self.assertEqual(base64.b64decode(row["body_base64"]), body)

    def test_fields_that_are_no_text(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.wfile.write(b"HTTP/1.1 200 gr\xfcn\r\nX-Latin: \xe9\r\nX-Utf: \xc3\xa9\r\n"
                                 b"Content-Length: 0\r\n\r\n")

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            row = self.one(f"http://127.0.0.1:{server.server_port}/")
            server.shutdown()
        self.assertEqual(row["reason"], "gr\u00fcn")
        self.assertEqual(row["headers"][:2], [["X-Latin", "\u00e9"], ["X-Utf", "\u00e9"]])

    def test_redirects(self):
        row = self.one(self.url + "/redirect/2", "-L")
        self.assertEqual((row["status"], row["body"], row["url"]), (200, "arrived\n", self.url + "/redirect/0"))
        self.assertEqual([(hop["url"], hop["status"]) for hop in row["history"]],
                         [(self.url + "/redirect/2", 302), (self.url + "/redirect/1", 302)])
        self.assertIn(["Location", "/redirect/1"], row["history"][0]["headers"])
        self.assertEqual(list(row["history"][0]), ["url", "status", "reason", "http_version", "headers"])
        self.assertEqual(self.one(self.url + "/redirect/2")["status"], 302)
        self.assertEqual(self.one({"url": self.url + "/redirect/2", "follow_redirects": True})["status"], 200)
        self.assertEqual(self.one({"url": self.url + "/redirect/2", "follow_redirects": False}, "-L")["status"], 302)
        row = self.one(self.url + "/redirect/3", "-L", "--max-redirs", "2")
        self.assertEqual(row["error"]["type"], "TooManyRedirects")

    def test_content_codings(self):
        plain = self.one(self.url + "/bytes/1000")["body"]
        row = self.one(self.url + "/gzip/1000")
        self.assertEqual((row["body"], row["decoded_bytes"]), (plain, 1000))
        self.assertLess(row["bytes_downloaded"], 1000)
        raw = self.one(self.url + "/gzip/1000", "--raw")
        self.assertEqual(gzip.decompress(base64.b64decode(raw["body_base64"])).decode(), plain)
        self.assertNotIn("decoded_bytes", raw)
        self.assertEqual(self.one(self.url + "/gzip/1000", "--max-body", "999")["error"]["type"], "LimitExceeded")
        self.assertNotIn("error", self.one(self.url + "/gzip/1000", "--raw", "--max-body", "999"))
        row = self.one(self.url + "/fault/gzip")
        self.assertEqual((row["error"]["type"], row["error"]["phase"]), ("DecodingError", "body"))

    def test_files(self):
        folder = self.folder / "new" / "bodies"
        rows = self.by_id([{"id": "../../x", "url": self.url + "/bytes/100000"}, "",
                           self.url + "/fault/truncate/9", self.url + "/bytes/0"],
                          "--body", "file", "--output-dir", folder)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["1.body", "4.body"])
        self.assertEqual(Path(rows["../../x"]["body_file"]).stat().st_size, rows["../../x"]["bytes_downloaded"])
        self.assertEqual(rows[4]["body_file"], str(folder / "4.body"))
        self.assertNotIn("body_file", rows[3])

    def test_a_file_that_cannot_be_written(self):
        folder = self.folder / "out"
        (folder / "1.body").mkdir(parents=True)
        rows = self.by_id([self.url + "/bytes/5", self.url + "/bytes/6"], "--body", "file", "--output-dir", folder)
        self.assertEqual((rows[1]["error"]["type"], rows[1]["error"]["phase"]), ("OutputError", "output"))
        self.assertEqual((folder / "2.body").read_text(), "012345")

    def test_files_that_cannot_be_written(self):
        list_file = self.folder / "list"
        list_file.write_text(self.url + "/bytes/1\n")
        target = self.folder / "file"
        target.write_text("")
        self.assertFails(sluice("fetch", list_file, "--body", "file", "--output-dir", target), 23, "cannot make")

    def test_discard(self):
        row = self.one(self.url + "/bytes/1000000", "--body", "discard")
        self.assertEqual(row["bytes_downloaded"], 1000000)
        self.assertFalse({"body", "body_base64", "body_file"} & set(row))

    def test_max_body(self):
        to_files = ["--body", "file", "--output-dir", self.folder / "out"]
        for mode in (["--body", "inline"], ["--body", "discard"], to_files):
            rows = self.by_id([self.url + "/bytes/2048", self.url + "/bytes/2049", self.url + "/bytes/100000000"],
                              "--max-body", "2k", *mode)
            self.assertNotIn("error", rows[1])
            for line in (2, 3):
                self.assertEqual((rows[line]["error"]["type"], rows[line]["error"]["phase"]), ("LimitExceeded", "body"))
        self.assertEqual([path.name for path in (self.folder / "out").iterdir()], ["1.body"])
        self.assertEqual(self.one(self.url + "/bytes/8388609")["error"]["type"], "LimitExceeded")

    def test_a_pipe_that_breaks(self):
        process = self.start()
        feeder = threading.Thread(target=self.feed, args=(process, self.url + "/bytes/1000\n"), daemon=True)
        feeder.start()
        for _ in range(10):
            self.assertTrue(json.loads(process.stdout.readline()))
        process.stdout.close()
        message = process.stderr.read()
        self.assertEqual(process.wait(PATIENCE), 23)
        self.assertEqual(message, b"sluice: cannot write to standard output: its reader is gone\n")
        feeder.join(PATIENCE)
        process.stdout = None

    @staticmethod
    def feed(process, line):
        try:
            for _ in range(100000):
                process.stdin.write(line.encode() * 1000)
        except (BrokenPipeError, ValueError):
            pass

    def test_full_disks(self):
        with open("/dev/full", "wb") as full:
            process = subprocess.run([*SLUICE, "fetch"], input=self.url.encode(), stdout=full, stderr=subprocess.PIPE,
                                     timeout=PATIENCE, check=False)
        self.assertEqual(process.returncode, 23)
        self.assertIn(b"No space left", process.stderr)

    def test_interrupted(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            out = self.folder / how.name
            process = self.start("--body", "file", "--output-dir", out)
            lines = [self.url + "/bytes/1000"] * 5 + [self.url + "/fault/stall"] * 5
            process.stdin.write("\n".join(lines).encode() + b"\n")
            process.stdin.flush()
            rows = [json.loads(process.stdout.readline()) for _ in range(5)]
            while len(list(out.iterdir())) < 10:  # the others are being written
                self.assertIsNone(process.poll())
            process.send_signal(how)
            self.assertEqual((*self.end_of(process), process.returncode), (b"", b"", 130))
            self.assertEqual(sorted(path.name for path in out.iterdir()), [f"{row + 1}.body" for row in range(5)])
            self.assertEqual(sorted(row["id"] for row in rows), [1, 2, 3, 4, 5])

    def test_an_end_of_the_origin(self):
        origin = Origin()
        process = self.start("--timeout", "60s")
        process.stdin.write((origin.url + "/bytes/1\n" + (origin.url + "/delay/60000\n") * 3).encode())
        process.stdin.close()
        process.stdin = None
        self.assertEqual(json.loads(process.stdout.readline())["status"], 200)
        origin.stop(signal.SIGKILL)
        rows = [json.loads(row) for row in self.end_of(process)[0].splitlines()]
        self.assertEqual((process.returncode, len(rows)), (0, 3))
        for row in rows:
            self.assertIn(row["error"]["type"], ("ReadError", "RemoteProtocolError", "ConnectError"))

    def test_a_slow_reader_slows_the_fetch(self):
        process = self.start("--concurrency", "10")
        fcntl.fcntl(process.stdin, fcntl.F_SETFL, os.O_NONBLOCK)
        line = (self.url + "/bytes/100000\n").encode()
        limit = 100_000 * len(line)
        written = 0
        while written < limit and select.select([], [process.stdin], [], 2)[1]:
            written += os.write(process.stdin.fileno(), line * 100)
        self.assertLess(written, limit, "the whole list was read although nobody read the rows")
        if "asan" not in SLUICE[-1]:
            status = Path(f"/proc/{process.pid}/status").read_text()
            self.assertLess(int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]), 200_000)
        row = json.loads(process.stdout.readline())
        self.assertEqual(row["bytes_downloaded"], 100000)
        process.send_signal(signal.SIGINT)
        output = self.end_of(process)[0]
        for text in output.splitlines():
            self.assertEqual(json.loads(text)["bytes_downloaded"], 100000)
        self.assertEqual(process.returncode, 130)

    def test_progress(self):
        result = sluice("fetch", "--progress", stdin=None, input=(self.url + "/\nx\n").encode())
        self.assertRegex(result.stderr.decode(), r"2 rows, 1 errors, 0 under way, [0-9.]+ MB, [0-9]+ rows/s\n$")
        self.assertNotIn(b"\x1b", result.stderr)

    def test_progress_on_a_terminal(self):
        file = self.folder / "list"
        file.write_text(self.url + "/delay/500\n")
        code, output, drawn = on_terminal("fetch", file)
        self.assertEqual((code, output.count(b"\n")), (0, 1))
        self.assertIn(b"\r\x1b[K0 rows, 0 errors, 1 under way", drawn)
        self.assertRegex(drawn.decode(), "1 rows, 0 errors, 0 under way[^\n]*\r\n$")


class Meter(http.server.ThreadingHTTPServer):
    """Answers nobody until `expected` requests are there at the same time, and knows how many there were."""
    request_queue_size = 1000

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            host = self.headers["Host"].split(":")[0]
            self.server.note(host, 1)
            self.server.full.wait(PATIENCE)
            self.server.note(host, -1)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    def __init__(self, expected):
        super().__init__(("0.0.0.0", 0), Meter.Handler)
        self.expected = expected
        self.full = threading.Event()
        self.lock = threading.Lock()
        self.now = collections.Counter()
        self.most = collections.Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def note(self, host, change):
        with self.lock:
            for key in (host, "all"):
                self.now[key] += change
                self.most[key] = max(self.most[key], self.now[key])
            if self.now["all"] == self.expected:
                self.full.set()


class Schedule(WithFetch):
    def limits(self, expected, hosts, *arguments):
        """The most requests at the same time: of one host, and of all."""
        with Meter(expected) as server:
            rows = self.fetch([f"http://127.0.0.{host}:{server.server_port}/" for host in hosts], *arguments)
            server.shutdown()
        self.assertEqual({row["status"] for row in rows}, {204})
        self.assertEqual(len(rows), len(hosts))
        total = server.most.pop("all")
        return max(server.most.values()), total

    def test_limits(self):
        self.assertEqual(self.limits(3, [1] * 30, "--per-host", "3"), (3, 3))
        self.assertEqual(self.limits(100, [1] * 150, "--per-host", "1000"), (100, 100))
        self.assertEqual(self.limits(40, [1, 2, 3, 4, 5] * 30), (8, 40))
        most_of_one, total = self.limits(7, [1, 2, 3, 4, 5] * 20, "--per-host", "3", "--concurrency", "7")
        self.assertEqual(total, 7)
        self.assertLessEqual(most_of_one, 3)

    def test_hosts_take_turns(self):
        most_of_one, total = self.limits(10, [1] * 100 + [2, 3, 4, 5, 6] * 2, "--per-host", "5", "--concurrency", "10")
        self.assertEqual((most_of_one, total), (5, 10))

    def test_a_slow_host_holds_up_itself_only(self):
        slow = self.url.replace("127.0.0.1", "localhost") + "/delay/60000\n"
        process = self.start("--concurrency", "5", "--per-host", "4")
        process.stdin.write(slow.encode() * 1000 + (self.url + "/bytes/1\n").encode() * 50)
        process.stdin.flush()
        rows = [json.loads(process.stdout.readline()) for _ in range(50)]
        self.assertEqual({row["status"] for row in rows}, {200})
        process.send_signal(signal.SIGINT)
        self.assertEqual((*self.end_of(process), process.returncode), (b"", b"", 130))

    def test_rate(self):
        begin = time.monotonic()
        rows = self.fetch([self.url + "/bytes/1"] * 21, "--rate", "50")
        self.assertEqual(len(rows), 21)
        self.assertGreater(time.monotonic() - begin, 20 / 50 - 0.06)

    def test_rows_come_as_they_are_done(self):
        rows = self.fetch([self.url + "/delay/300", self.url + "/bytes/1"])
        self.assertEqual([row["id"] for row in rows], [2, 1])


class Faults(unittest.TestCase):
    """Many hosts, some of whose servers misbehave: every line gets its row, once, and says what happened."""

    def setUp(self):
        self.origin = Origin("--host", "0.0.0.0", "--port", "0")
        self.port = self.origin.url.rsplit(":", 1)[1]
        self.keeper, self.closed = closed_port()

    def tearDown(self):
        self.keeper.close()
        self.assertEqual(self.origin.stop(), 0)

    def request(self, number):
        """A line of the list and what its row must say."""
        host = f"127.0.0.{number % 100 + 1}"
        bad = {
            3: ("/fault/reset", "ReadError in head"),
            13: ("/fault/close", "RemoteProtocolError in head"),
            23: ("/fault/garbage", "RemoteProtocolError in head"),
            33: ("/fault/truncate/10", "RemoteProtocolError in body"),
            43: ("/fault/unended/10", "RemoteProtocolError in body"),
            53: ("/status/503", 503),
            63: ("/fault/slow/3", 200),
            73: ("/nothing", 404),
            5: ("/fault/gzip", "DecodingError in body"),
            15: ("/redirect/3", 200),
            25: ("/redirect/7", "TooManyRedirects in head"),
            35: ("/gzip/500", 200),
        }
        kind = number // 100 * 7 % 100 + number % 100
        path, outcome = bad.get(kind, (f"/bytes/{number % 3000}", 200))
        line = {"id": f"n{number}", "url": f"http://{host}:{self.port}{path}"}
        if kind == 83:
            line = {**line, "url": f"http://{host}:{self.port}/fault/stall", "timeout": 2}
            outcome = "ReadTimeout in body"
        if kind == 93:
            line, outcome = {**line, "url": f"http://127.0.0.1:{self.closed}/"}, "ConnectError in connect"
        return json.dumps(line), outcome

    @staticmethod
    def outcome(row):
        return f"{row['error']['type']} in {row['error']['phase']}" if "error" in row else row["status"]

    def test_every_line_has_its_row(self):
        requests = [self.request(number) for number in range(URLS)]
        text = "".join(line + "\n" for line, _ in requests)
        arguments = ["--timeout", "30s", "-L", "--max-redirs", "5"]
        result = sluice("fetch", *arguments, stdin=None, input=text.encode())
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        rows = {}
        for text in result.stdout.splitlines():
            row = json.loads(text)
            self.assertNotIn(row["id"], rows)
            rows[row["id"]] = row
        self.assertEqual(len(rows), URLS)
        wrong = [(line, outcome, rows[f"n{number}"]) for number, (line, outcome) in enumerate(requests)
                 if self.outcome(rows[f"n{number}"]) != outcome]
        self.assertEqual(wrong, [])
        for number in range(URLS):
            row = rows[f"n{number}"]
            if "error" not in row and "/bytes/" in row["url"]:
                self.assertEqual(len(row["body"]), number % 3000)


if __name__ == "__main__":
    main()
