#!/usr/bin/env python3
"""includes.py ROOT: reports every #include that the design forbids, as file:line: reason. See docs/CONTRIBUTING.md."""
import re
import sys
from pathlib import Path

# Which layers of engine/ a layer may include directly or through others.
LAYERS = {
    "base": set(),
    "coro": {"base"},
    "ring": {"base", "coro"},
    "net": {"base", "coro", "ring"},
    "wire": {"base"},
    "http": {"base", "coro", "ring", "net", "wire"},
    "client": {"base", "coro", "ring", "net", "wire", "http"},
    "server": {"base", "coro", "ring", "net", "wire"},
}
# Headers that only one layer may include.
OWNERS = [
    (re.compile(r"liburing(\.h|/)"), "ring"),
    (re.compile(r"openssl/"), "net"),
    (re.compile(r"(llhttp|zlib|zstd|zstd_errors)\.h|brotli/|isa-l/"), "wire"),
]
# Pure layers: wire knows no socket and no coroutine, base neither.
PURE = {"base", "wire"}
IMPURE = re.compile(r"coroutine$|sys/(socket|epoll|eventfd|uio)\.h|netinet/|netdb\.h|linux/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STANDARD = re.compile(r"[a-z_]+$")


def public_fault(quote, name, path):
    """Public headers include the standard library and each other; interop/ also the library that it connects to."""
    if quote == '"':
        return "public headers are included as <sluice/...>"
    if name.startswith("sluice/") or STANDARD.match(name) or path.startswith("include/sluice/interop/"):
        return None
    return f"a public header may not include <{name}>"


def engine_fault(quote, name, path):
    layer = path.split("/")[1]
    if layer not in LAYERS:
        return f"engine/{layer} is not a known layer: add it to LAYERS in tests/rules/includes.py"
    if name.startswith("engine/"):
        other = name.split("/")[1]
        if other != layer and other not in LAYERS[layer]:
            return f"{layer} may not include {other}"
    elif quote == '"':
        return f'"{name}" is not a path from the root, such as "engine/{layer}/{name}"'
    elif layer in PURE and IMPURE.match(name):
        return f"{layer} does no I/O and knows no coroutine: it may not include <{name}>"
    else:
        for pattern, owner in OWNERS:
            if pattern.match(name) and owner != layer:
                return f"only engine/{owner} may include <{name}>"
    return None


def fault(line, path):
    """What is wrong with this line of the file, or None."""
    match = INCLUDE.match(line)
    if not match:
        return None
    check = public_fault if path.startswith("include/") else engine_fault
    return check(match[1], match[2], path)


def main(root):
    root = Path(root)
    files = [f for folder in ("include", "engine") for f in sorted((root / folder).rglob("*")) if f.suffix in (".hpp", ".cpp")]
    if not files:
        sys.exit(f"no sources under {root}")
    faults = 0
    for file in files:
        path = file.relative_to(root).as_posix()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if reason := fault(line, path):
                print(f"{path}:{number}: {reason}")
                faults += 1
    print(f"{len(files)} files, {faults} forbidden includes")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
