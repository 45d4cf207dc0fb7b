"""Tests of includes.py."""
import unittest

from includes import fault


class Fault(unittest.TestCase):
    ALLOWED = [
        ("include/sluice/url.hpp", "#include <string_view>"),
        ("include/sluice/url.hpp", "#include <sluice/result.hpp>"),
        ("include/sluice/interop/asio.hpp", "#include <boost/asio.hpp>"),
        ("engine/http/pool.cpp", '#include "engine/base/check.hpp"'),
        ("engine/http/pool.cpp", '#include "engine/http/pool.hpp"'),
        ("engine/wire/head.cpp", "#include <sluice/headers.hpp>"),
        ("engine/wire/reader.cpp", "#include <llhttp.h>"),
        ("engine/ring/ring.hpp", "#include <liburing.h>"),
        ("engine/net/tls.cpp", "#include <openssl/ssl.h>"),
        ("engine/net/tcp.cpp", "#include <sys/socket.h>"),
        ("engine/net/tcp.cpp", '// "engine/client/client.hpp"'),
    ]
    FORBIDDEN = [
        ("include/sluice/url.hpp", "#include <liburing.h>"),
        ("include/sluice/url.hpp", "#include <sys/socket.h>"),
        ("include/sluice/url.hpp", '#include "engine/base/check.hpp"'),
        ("engine/base/check.hpp", '#include "engine/coro/executor.hpp"'),
        ("engine/wire/head.cpp", '#include "engine/net/stream.hpp"'),
        ("engine/wire/head.cpp", "#include <coroutine>"),
        ("engine/net/tcp.cpp", '  #  include "engine/http/pool.hpp"'),
        ("engine/server/origin.cpp", '#include "engine/http/pool.hpp"'),
        ("engine/net/tcp.cpp", "#include <liburing.h>"),
        ("engine/http/pool.cpp", "#include <openssl/ssl.h>"),
        ("engine/http/pool.cpp", '#include "pool.hpp"'),
        ("engine/odd/x.cpp", "#include <string>"),
    ]

    def test_allowed(self):
        for path, line in self.ALLOWED:
            self.assertIsNone(fault(line, path), (path, line))

    def test_forbidden(self):
        for path, line in self.FORBIDDEN:
            self.assertIsNotNone(fault(line, path), (path, line))


if __name__ == "__main__":
    unittest.main()
