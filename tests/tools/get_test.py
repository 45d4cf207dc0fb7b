#!/usr/bin/env python3
"""get_test.py CLASS COMMAND...: runs the cases of a class of this file against `sluice get`."""
import fcntl
import gzip
import http.server
import os
import re
import signal
import subprocess
import tempfile
import threading
import urllib.parse
from pathlib import Path

from support import PATIENCE, SLUICE, WithOrigin, main, on_terminal, script_server, sluice


class WithFolder(WithOrigin):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = self.folder / "file"

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def get(self, *arguments, code=0, **options):
        result = sluice("get", *arguments, cwd=self.folder, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        return result


class Names(WithFolder):
    def test_from_the_url(self):
        self.get("-O", self.url + "/bytes/3?a=/b")
        self.assertEqual(self.names(), ["3"])
        self.assertEqual((self.folder / "3").read_text(), "012")
        self.get("-O", self.url + "/nothing/%C3%A4%20b")
        self.assertEqual(self.names(), ["3", "\u00e4 b"])

    def test_names_that_no_file_could_have(self):
        for path in ("/", "", "/a/", "/a/..", "/a/%2e%2e", "/%2E", "/a%2Fb", "/..%2Fb", "/a%00b", "/%0A"):
            with self.subTest(path=path):
                self.assertFails(self.get("-O", self.url + path, code=2), 2, "names no file")
        self.assertEqual(self.names(), [])

    def test_two_names(self):
        self.assertFails(self.get("-O", "-o", "x", self.url, code=2), 2, "two files")


class Surroundings(WithFolder):
    def test_closed_standard_descriptors(self):
        url = self.url + "/bytes/5"
        for closed in ([0], [0, 1], [0, 1, 2]):
            with self.subTest(closed=closed):
                close = lambda: [os.close(fd) for fd in closed]
                result = subprocess.run([*SLUICE, "get", "-o", "file", url], cwd=self.folder, preexec_fn=close,
                                        timeout=PATIENCE, check=False)
                self.assertEqual((result.returncode, self.file.read_text()), (0, "01234"))
        result = subprocess.run([*SLUICE, "get", url], preexec_fn=lambda: os.close(1), timeout=PATIENCE, check=False,
                                stderr=subprocess.PIPE)
        self.assertFails(result, 23, "")

    def test_a_server_does_not_steer_the_terminal(self):
        head = b"HTTP/1.1 200 \x9b1m\xc2\x9b\r\nX: \xc3\xa4\xe2\x80\x93\r\nContent-Length: 0\r\n\r\n"
        url, _ = script_server(lambda connection: connection.sendall(head))
        code, _, drawn = on_terminal("get", "-v", url)
        self.assertEqual(code, 0)
        self.assertIn(b"< HTTP/1.1 200 ?1m\xc2?\r\n< X: \xc3\xa4\xe2\x80\x93\r\n", drawn)


class Redirects(WithFolder):
    def test_only_when_asked_for(self):
        url = self.url + "/redirect/3"
        self.assertEqual(self.get(url).stdout, b"302 Found\n")
        self.assertEqual(self.get("-L", url).stdout, b"arrived\n")
        self.assertEqual(self.get("-L", "-o", "file", url).stdout, b"")
        self.assertEqual(self.file.read_text(), "arrived\n")

    def test_how_many(self):
        self.assertEqual(self.get("-L", self.url + "/redirect/20").stdout, b"arrived\n")
        self.assertFails(self.get("-L", self.url + "/redirect/21", code=47), 47, "TooManyRedirects")
        self.assertFails(self.get("-L", "--max-redirs", "1", self.url + "/redirect/2", code=47), 47, "")
        self.assertEqual(self.get("-L", "--max-redirs", "2", self.url + "/redirect/2").stdout, b"arrived\n")

    def test_all_heads_are_shown(self):
        result = self.get("-L", "-i", "-v", self.url + "/redirect/2")
        self.assertEqual(result.stdout.count(b"HTTP/1.1 302 Found\r\n"), 2)
        self.assertTrue(result.stdout.endswith(b"\r\n\r\narrived\n"))
        self.assertEqual(result.stderr.count(b"< HTTP/1.1 "), 3)

    def test_names_come_from_what_was_asked_for(self):
        self.get("-L", "-O", self.url + "/redirect/1")
        self.assertEqual(self.names(), ["1"])


class Upload(WithFolder):
    def test_a_file(self):
        self.file.write_bytes(os.urandom(3000000))
        for arguments in (["-T", "file"], ["--upload-file", self.file, "-X", "POST"]):
            self.assertEqual(self.get(*arguments, self.url + "/echo").stdout, self.file.read_bytes())
        head = self.get("-T", "file", self.url + "/headers").stdout
        self.assertTrue(head.startswith(b"PUT /headers HTTP/1.1\n"))
        self.assertIn(b"\nContent-Length: 3000000\n", head)

    def test_standard_input(self):
        data = os.urandom(3000000)
        self.assertEqual(self.get("-T", "-", self.url + "/echo", stdin=None, input=data).stdout, data)
        head = self.get("-T", "-", self.url + "/headers", stdin=None, input=b"abc").stdout
        self.assertTrue(head.startswith(b"PUT /headers HTTP/1.1\n"))
        self.assertIn(b"\nTransfer-Encoding: chunked\n", head)
        self.assertEqual(self.get("-T", "-", self.url + "/echo", stdin=None, input=b"").stdout, b"")

    def test_standard_input_is_sent_as_it_comes(self):
        process = subprocess.Popen([*SLUICE, "get", "-T", "-", self.url + "/echo"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        for part in (b"one", b"two"):
            process.stdin.write(part)
            process.stdin.flush()
        self.assertEqual(process.communicate(b"three", PATIENCE)[0], b"onetwothree")

    def test_an_upload_that_is_interrupted(self):
        begun = threading.Event()

        def read(connection):
            begun.set()
            while connection.recv(65536):
                pass

        url, thread = script_server(read)
        process = subprocess.Popen([*SLUICE, "get", "-T", "-", url], stdin=subprocess.PIPE)
        self.assertTrue(begun.wait(PATIENCE))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), 130)
        process.stdin.close()
        thread.join(PATIENCE)

    def test_names_in_folders(self):
        for name in ("file", "a b?#%41"):
            (self.folder / name).write_text("x")
            head = self.get("-T", self.folder / name, self.url + "/headers/").stdout.decode()
            self.assertEqual(urllib.parse.unquote(head.split("\n")[0]), f"PUT /headers/{name} HTTP/1.1")

    def test_redirects(self):
        self.file.write_text("x" * 100)
        self.assertEqual(self.get("-L", "-T", "file", self.url + "/redirect/1").stdout, b"arrived\n")

    def test_files_that_cannot_be_read(self):
        self.assertFails(self.get("-T", "none", self.url, code=26), 26, "none")
        self.assertFails(self.get("-T", self.folder, self.url, code=26), 26, "no file")

    def test_wrong_arguments(self):
        for arguments in (["-T", "file", "-d", "a"], ["-T", "file", "-I"]):
            self.assertFails(self.get(*arguments, self.url, code=2), 2, "-T")


class Compressed(WithFolder):
    def test_what_is_asked_for(self):
        self.assertNotIn(b"Accept-Encoding", self.get(self.url + "/headers").stdout)
        self.assertIn(b"Accept-Encoding: gzip", self.get("--compressed", self.url + "/headers").stdout)
        asked = self.get("--compressed", "-H", "Accept-Encoding: br", self.url + "/headers").stdout
        self.assertIn(b"Accept-Encoding: br\n", asked)
        self.assertEqual(asked.count(b"Accept-Encoding"), 1)

    def test_what_is_written(self):
        whole = self.get(self.url + "/bytes/100000").stdout
        sent = self.get(self.url + "/gzip/100000").stdout
        self.assertEqual(gzip.decompress(sent), whole)
        self.assertEqual(self.get("--compressed", self.url + "/gzip/100000").stdout, whole)
        self.assertEqual(self.get("--compressed", self.url + "/bytes/100000").stdout, whole)
        self.get("--compressed", "-o", "file", self.url + "/gzip/100000")
        self.assertEqual(self.file.read_bytes(), whole)

    def test_what_cannot_be_decompressed(self):
        self.assertFails(self.get("--compressed", "-o", "file", self.url + "/fault/gzip", code=61), 61, "DecodingError")
        self.assertEqual(self.names(), [])
        self.get(self.url + "/fault/gzip")
        reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: strange\r\nContent-Length: 1\r\n\r\nx"
        url, thread = script_server(lambda connection: connection.sendall(reply))
        self.assertFails(self.get("--compressed", url, code=61), 61, "strange")
        thread.join(PATIENCE)


class Ranges(http.server.BaseHTTPRequestHandler):
    """A file that can be had in parts; how it is served is set by each test."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        status, first, fields = self.choose()
        body = server.body[first:]
        self.send_response_only(status)
        self.send_header("Date", "Tue, 15 Nov 1994 08:12:31 GMT")
        for name, value in [*server.fields, *fields]:
            self.send_header(name, value)
        self.send_header("Content-Length", str(0 if status == 416 else len(body)))
        self.end_headers()
        if status == 416:
            return
        self.wfile.write(body[:server.cut])
        self.wfile.flush()
        if len(body) > server.cut:
            self.close_connection = True

    def choose(self):
        server = self.server
        if server.status:
            return server.status, 0, []
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if not asked or (condition and condition not in (value for _, value in server.fields)):
            return 200, 0, []
        first = int(asked[1])
        if first >= len(server.body):
            return 416, 0, [("Content-Range", f"bytes */{len(server.body)}")]
        return 206, first, [("Content-Range", server.content_range or
                             f"bytes {first}-{len(server.body) - 1}/{len(server.body)}")]

    def log_message(self, *_):
        pass


class Resume(WithFolder):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ranges)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.server.body = os.urandom(100000)
        self.server.fields = [("ETag", '"one"'), ("Last-Modified", "Tue, 15 Nov 1994 08:12:30 GMT")]
        self.server.requests = []
        self.server.cut = 40000
        self.server.content_range = None
        self.server.status = None
        self.file_url = f"http://127.0.0.1:{self.server.server_port}/file"

    def fetch(self, code, *arguments):
        return self.get("-C", "-", "-O", self.file_url, *arguments, code=code)

    def whole(self):
        self.server.cut = len(self.server.body)

    def assertWhole(self):
        self.assertEqual(self.file.read_bytes(), self.server.body)
        self.assertEqual(self.names(), ["file"])

    def test_continues(self):
        for size in (40000, 80000):
            self.fetch(18)
            self.assertEqual(self.names(), ["file.part", "file.part.info"])
            self.assertEqual((self.folder / "file.part").read_bytes(), self.server.body[:size])
        self.assertRegex(self.fetch(0).stderr, rb"^20000 bytes in ")
        self.assertWhole()
        asked = [(request.get("Range"), request.get("If-Range")) for request in self.server.requests]
        self.assertEqual(asked, [(None, None), ("bytes=40000-", '"one"'), ("bytes=80000-", '"one"')])

    def test_compression_is_not_asked_for(self):
        self.fetch(18)
        self.assertNotIn("Accept-Encoding", self.server.requests[0])

    def test_another_version_starts_anew(self):
        self.fetch(18)
        self.server.fields = [("ETag", '"two"')]
        self.server.body = os.urandom(50000)
        self.fetch(18)
        self.assertEqual((self.folder / "file.part").read_bytes(), self.server.body[:40000])
        self.fetch(0)
        self.assertWhole()

    def test_dates(self):
        self.server.fields = [("ETag", 'W/"weak"'), ("Last-Modified", "Tue, 15 Nov 1994 08:12:30 GMT")]
        self.fetch(18)
        self.whole()
        self.fetch(0)
        self.assertEqual(self.server.requests[1]["If-Range"], "Tue, 15 Nov 1994 08:12:30 GMT")
        self.assertWhole()

    def test_without_a_version_nothing_is_continued(self):
        for fields in ([], [("ETag", 'W/"weak"')], [("Last-Modified", "Tue, 15 Nov 1994 08:12:31 GMT")],
                       [("Last-Modified", "soon")]):
            self.server.fields = fields
            self.server.requests.clear()
            self.fetch(18)
            self.fetch(18)
            self.assertNotIn("Range", self.server.requests[1])
            self.assertEqual((self.folder / "file.part").read_bytes(), self.server.body[:40000])

    def test_a_rest_that_is_shorter_than_announced(self):
        def script(connection):
            connection.sendall(b'HTTP/1.1 206 x\r\nETag: "v"\r\nContent-Range: bytes 3-9/10\r\n'
                               b"Content-Length: 2\r\n\r\nde")

        url, _ = script_server(script)
        (self.folder / "file.part").write_bytes(b"abc")
        (self.folder / "file.part.info").write_text(f'{url}\n"v"\n')
        self.assertFails(self.get("-C", "-", "-o", "file", url, code=18), 18, "5 of 10 bytes")
        self.assertEqual(self.names(), ["file.part", "file.part.info"])

    def test_what_may_hold_secrets_is_not_for_others(self):
        self.fetch(18)
        self.assertEqual((self.folder / "file.part.info").stat().st_mode & 0o777, 0o600)

    def test_another_url_starts_anew(self):
        self.fetch(18)
        self.get("-C", "-", "-o", "file", self.file_url + "?2", code=18)
        self.assertNotIn("Range", self.server.requests[1])

    def test_all_was_there(self):
        self.fetch(18)
        (self.folder / "file.part").write_bytes(self.server.body)
        self.fetch(0, "-f")
        self.assertEqual(self.server.requests[1]["Range"], "bytes=100000-")
        self.assertWhole()

    def test_more_than_all_was_there(self):
        self.fetch(18)
        (self.folder / "file.part").write_bytes(self.server.body + b"more")
        self.whole()
        self.fetch(0)
        self.assertEqual([request.get("Range") for request in self.server.requests], [None, "bytes=100004-", None])
        self.assertWhole()

    def test_answers_that_do_not_fit(self):
        self.fetch(18)
        for answer in ("bytes 39999-99999/100000", "bytes 40001-99999/100000", "bytes 40000-99998/100000",
                       "bytes 40000-99999/*", "bytes */100000", "pages 40000-99999/100000", "nonsense"):
            self.server.content_range = answer
            self.assertFails(self.fetch(8), 8, "another part")
        self.server.content_range = None
        self.server.status = 206
        self.assertFails(self.fetch(8), 8, "another part")
        self.assertEqual((self.folder / "file.part").read_bytes(), self.server.body[:40000])

    def test_errors_are_not_taken_for_the_file(self):
        self.fetch(18)
        for status in (404, 500, 302):
            self.server.status = status
            self.assertFails(self.fetch(22), 22, str(status))
        self.server.status = None
        self.whole()
        self.fetch(0)
        self.assertWhole()

    def test_the_old_file_stays_until_the_new_one_is_whole(self):
        self.file.write_text("old")
        self.fetch(18)
        self.assertEqual(self.file.read_text(), "old")
        self.whole()
        self.fetch(0)
        self.assertWhole()

    def test_links(self):
        link = self.folder / "link"
        self.file.write_text("old")
        link.symlink_to(self.file)
        self.get("-C", "-", "-o", "link", self.file_url, code=18)
        self.assertEqual(self.names(), ["file", "file.part", "file.part.info", "link"])
        self.whole()
        self.get("-C", "-", "-o", "link", self.file_url)
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.file.read_bytes(), self.server.body)

    def test_a_part_that_is_a_link_is_not_followed(self):
        (self.folder / "file.part").symlink_to(self.folder / "elsewhere")
        self.assertFails(self.fetch(23), 23, "")
        self.assertEqual(self.names(), ["file.part"])

    def test_interrupted(self):
        url = self.url + "/fault/slow/100000"
        process = subprocess.Popen([*SLUICE, "get", "-s", "-C", "-", "-o", self.file, url])
        part = self.folder / "file.part"
        while not part.exists() or not part.stat().st_size:
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), 130)
        self.assertEqual(self.names(), ["file.part"])  # the origin names no version

    def test_one_at_a_time(self):
        self.fetch(18)
        with open(self.folder / "file.part", "rb") as part:
            fcntl.flock(part, fcntl.LOCK_EX)
            self.assertFails(self.fetch(23), 23, "another process")

    def test_wrong_arguments(self):
        for arguments in (["-C", "5", "-o", "x"], ["-C", "-"], ["-C", "-", "-o", "x", "-d", "a"],
                          ["-C", "-", "-o", "x", "-T", "x"], ["-C", "-", "-o", "x", "-I"],
                          ["-C", "-", "-o", "x", "-i"], ["-C", "-", "-o", "x", "--compressed"],
                          ["-C", "-", "-o", "/dev/null"]):
            with self.subTest(arguments=arguments):
                self.assertFails(self.get(*arguments, self.url, code=2), 2, "")


class Progress(WithFolder):
    def on_terminal(self, *arguments):
        code, output, drawn = on_terminal("get", *arguments, cwd=self.folder)
        self.assertEqual(code, 0, drawn)
        return output, drawn.decode()

    def test_a_file(self):
        output, drawn = self.on_terminal("-o", "file", self.url + "/fault/slow/30")
        self.assertEqual(output, b"")
        self.assertRegex(drawn, r"\r\x1b\[K +[0-9]+% \[=*>? *\] 0\.0/0\.0 MB  [0-9.]+ MB/s  [0-9:]+ left\r\x1b\[K")
        self.assertRegex(drawn, r"\r\x1b\[K30 bytes in [^\n]*\r\n$")

    def test_unknown_length(self):
        drawn = self.on_terminal("-o", "file", self.url + "/chunked/1000")[1]
        self.assertRegex(drawn, r"\r\x1b\[K[0-9.]+ MB  [0-9.]+ MB/s  0:00")

    def test_none(self):
        for arguments in (["-s", "-o", "file"], ["--no-progress", "-o", "file"], ["-o", "/dev/null"], []):
            drawn = self.on_terminal(*arguments, self.url + "/bytes/10")[1]
            self.assertNotIn("\x1b", drawn)
        result = self.get("-o", "file", self.url + "/bytes/10")
        self.assertNotIn(b"\x1b", result.stderr)


if __name__ == "__main__":
    main()
