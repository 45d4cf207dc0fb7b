# SPDX-License-Identifier: MIT
"""What the comparisons share: pinned processes, what they used, and the origins that clients run against."""
import gzip
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BULK_BODY_BYTES = 100_000_000
WORDS_PER_LINE = 10
GRACE_SECONDS = 10  # a client that runs this much longer than told is killed


class Failure(Exception):
    """A message for the user."""


def note(text):
    print(text, file=sys.stderr, flush=True)


def checked(command):
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        raise Failure(f"{' '.join(command)} failed:\n{result.stdout[-2000:]}")


def build(directory, *targets):
    if not (directory / "build.ninja").exists():
        checked(["cmake", "--preset", "release", "-B", str(directory)])
    checked(["cmake", "--build", str(directory), "--target", *targets])


def exists(program):
    return any(os.access(Path(directory) / program, os.X_OK) for directory in os.get_exec_path())


def add_machine_arguments(parser):
    parser.add_argument("--client-core", type=int, default=0)
    parser.add_argument("--origin-core", type=int, default=1)
    parser.add_argument("--build-dir", type=lambda text: Path(text).resolve(), default=ROOT / "build/release")
    parser.add_argument("--no-build", action="store_true", help="use the programs of --build-dir as they are")


def check_machine_arguments(parser, options):
    missing = {options.client_core, options.origin_core} - os.sched_getaffinity(0)
    if missing:
        parser.error(f"core {min(missing)} is not available")


# --- clients ----------------------------------------------------------------------------------------------------

def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


def run_pinned(command, seconds, core):
    """Runs a command to its end; returns what it printed and its resource usage."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        status, usage = wait_for(command, seconds, core, stdout=output, stderr=errors)
        output.seek(0), errors.seek(0)
        if status != 0:
            raise Failure(f"{command[0]} ended with status {status}: {errors.read().strip()[-500:]}")
        return output.read(), usage


def wait_for(command, seconds, core, **streams):
    process = subprocess.Popen(command, preexec_fn=pinned(core), **streams)
    guard = threading.Timer(seconds + GRACE_SECONDS, process.kill)
    guard.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, usage
    finally:
        guard.cancel()
        if process.returncode is None:
            process.kill()
            process.wait()


# --- origins ----------------------------------------------------------------------------------------------------

@contextmanager
def running(command, core, **options):
    process = subprocess.Popen(command, preexec_fn=pinned(core), text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def printing_origin(command, core):
    """An origin whose first line of output ends in its port."""
    with running(command, core, stdout=subprocess.PIPE) as process:
        match = re.search(r"(\d+)/?\s*$", process.stdout.readline())
        if not match:
            raise Failure(f"{command[0]} did not print its port")
        yield f"http://127.0.0.1:{match[1]}/"


def own_origin(options, body_bytes, *more):
    command = [str(options.build_dir / "bench/bench_origin"), "--port", "0", "--body", str(body_bytes), *more]
    return printing_origin(command, options.origin_core)


NGINX_CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {directory}/pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; tcp_nodelay on; default_type text/plain;
  sendfile on; tcp_nopush on;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=4096; location = / {{ {location} }} }}
}}
"""


def free_port():
    """A port that was free a moment ago: nginx cannot choose one and tell."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def nginx_reply_origin(options, body_bytes):
    """nginx that answers from its configuration."""
    return nginx_origin(options, f'return 200 "{"x" * body_bytes}";')


@contextmanager
def nginx_file_origin(options, content, headers=""):
    """nginx that sends the content with sendfile; gives its URL and the file."""
    with tempfile.TemporaryDirectory(prefix="sluice-body-") as directory:
        file = Path(directory) / "body"
        file.write_bytes(content)
        file.parent.chmod(0o755)  # nginx may not run as the user who made it
        with nginx_origin(options, f"root {directory}; {headers} try_files /body =404;") as url:
            yield url, file


def bulk_origin(options, kind):
    """The same, with a large body: "random" bytes, "text" in lines, or "gzip" of that text."""
    if kind == "random":
        return nginx_file_origin(options, os.urandom(BULK_BODY_BYTES))
    text = text_of(BULK_BODY_BYTES)
    if kind == "text":
        return nginx_file_origin(options, text)
    return nginx_file_origin(options, gzip.compress(text, 6, mtime=0), "add_header Content-Encoding gzip;")


def text_of(size):
    """Lines of words, the n-th of which is about 1/n as frequent as the first, as in a language."""
    source = random.Random(1)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(source.choice(letters[:source.randint(1, 26)]) for _ in range(source.randint(2, 10)))
             for _ in range(20_000)]
    # The period is far longer than the window of gzip.
    chosen = source.choices(words, [1 / rank for rank in range(1, len(words) + 1)], k=600_000)
    text = "\n".join(" ".join(chosen[at:at + WORDS_PER_LINE]) for at in range(0, len(chosen), WORDS_PER_LINE)) + "\n"
    return (text.encode() * (size // len(text) + 1))[:size]


@contextmanager
def nginx_origin(options, location):
    if not exists("nginx") and exists("/usr/sbin/nginx"):
        os.environ["PATH"] += ":/usr/sbin"
    with tempfile.TemporaryDirectory(prefix="sluice-nginx-") as name:
        directory, port = Path(name), free_port()
        configuration = directory / "nginx.conf"
        configuration.write_text(NGINX_CONFIGURATION.format(directory=directory, port=port, location=location))
        command = ["nginx", "-p", name, "-e", "stderr", "-c", str(configuration)]
        with running(command, options.origin_core) as process:
            wait_until_listening(process, port)
            yield f"http://127.0.0.1:{port}/"


def wait_until_listening(process, port):
    for _ in range(100):
        if process.poll() is not None:
            raise Failure(f"the origin exited with status {process.returncode}")
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise Failure("the origin does not listen")
