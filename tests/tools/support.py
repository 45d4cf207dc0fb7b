"""What the tests of the sluice command have in common: running it, its origin, servers that play a script."""
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import unittest

SLUICE = []  # the command, set by main
PATIENCE = 60


def sluice(*arguments, **options):
    """Runs the command to its end; gives exit code, output and errors."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([*SLUICE, *arguments], capture_output=True, timeout=PATIENCE, check=False, **options)


class Origin:
    """`sluice serve` on a free port."""

    def __init__(self, *arguments):
        arguments = arguments or ("--port", "0")
        self.process = subprocess.Popen([*SLUICE, "serve", *arguments], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), line
        self.url = line.removeprefix("listening on ").strip()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code


class WithOrigin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.origin = Origin()
        cls.url = cls.origin.url

    @classmethod
    def tearDownClass(cls):
        code = cls.origin.stop()
        assert code == 0, f"the origin ended with {code}"

    def assertFails(self, result, code, text):
        """A failure is an exit code and one line."""
        message = result.stderr.decode()
        self.assertEqual(result.returncode, code, message)
        self.assertTrue(message.startswith("sluice: "), message)
        self.assertEqual(message.count("\n"), 1, message)
        self.assertIn(text, message)


def script_server(script):
    """A server that plays `script(connection)` on one connection; gives its URL and the thread."""
    listener = socket.create_server(("127.0.0.1", 0))

    def play():
        with listener, listener.accept()[0] as connection:
            while b"\r\n\r\n" not in connection.recv(65536):
                pass
            script(connection)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/", thread


def on_terminal(*arguments, **options):
    """Runs the command with its standard error on a terminal; gives exit code, output and what was drawn."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*SLUICE, *arguments], stdout=subprocess.PIPE, stderr=theirs, **options)
    os.close(theirs)
    drawn = []

    def read():
        try:
            while block := os.read(ours, 65536):
                drawn.append(block)
        except OSError:  # the terminal's other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    output = process.communicate(timeout=PATIENCE)[0]
    reader.join(PATIENCE)
    os.close(ours)
    return process.returncode, output, b"".join(drawn)


def closed_port():
    """A port that is bound and does not listen, with the socket that keeps it."""
    keeper = socket.socket()
    keeper.bind(("127.0.0.1", 0))
    return keeper, keeper.getsockname()[1]


def main():
    """SCRIPT CLASS COMMAND...: runs the cases of a class of the script against the command; all: of every class."""
    SLUICE.extend(sys.argv[2:])
    unittest.main(argv=[sys.argv[0], *([sys.argv[1]] if sys.argv[1] != "all" else [])])
