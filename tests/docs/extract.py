#!/usr/bin/env python3
"""extract.py ROOT OUT FILE...: writes each ```cpp block of the Markdown files as a translation unit.

OUT/<file>:<line>.cpp is written for each block (with "/" as "_"), and <file>:<line> printed. Line directives make the
compiler name the Markdown file and line. A block with a main function stays exactly as it is; others follow PREAMBLE,
and statements become the body of a coroutine (WRAPPER).
"""
import re
import sys
import textwrap
from pathlib import Path

PREAMBLE = """\
#include <sluice/sluice.hpp>
#include <cstdio>
#include <string>
#include <vector>
using namespace std::chrono_literals;
"""
# The inner braces let the statements have variables of their own with these names.
WRAPPER = """\
[[maybe_unused]] static sluice::Task<void> example([[maybe_unused]] sluice::AsyncClient& client) {{ {{
{body}
}} co_return; }}
"""

INCLUDE = re.compile(r"^#\s*include\b")
MAIN = re.compile(r"^(int|auto)\s+main\s*\(", re.M)
# A line at the margin that reads "type name(", as a function definition does and a statement does not.
FUNCTION = re.compile(r"^(?!co_|return\b|throw\b|else\b|delete\b|new\b|using\b)[\w:<>,&* \[\]]*[\w>\]][ &*]+[\w:]+\(", re.M)


def blocks(text):
    """Yields (line number, code) of each ```cpp block; the number is that of the first line of code."""
    fence, language, start, lines = "", "", 0, []
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(`{3,}|~{3,})\s*([^`\s]*)", line)
        if not fence and mark:
            fence, language, start, lines = mark[1], mark[2], number + 1, []
        elif fence and mark and mark[1].startswith(fence) and not mark[2]:
            if language == "cpp":
                yield start, textwrap.dedent("\n".join(lines))
            fence = ""
        elif fence:
            lines.append(line)
    if fence:
        raise ValueError(f"the block that begins at line {start - 1} has no end")


def defines_function(code):
    """Whether a function is defined at the margin: after "type name(" the brace comes before the semicolon."""
    if re.search(r"^(template|namespace|concept)\b", code, re.M):
        return True
    for match in FUNCTION.finditer(code):
        depth = 1
        for char in code[match.end():]:
            depth += (char in "([") - (char in ")]")
            if depth == 0 and char in "{;":
                if char == "{":
                    return True
                break
    return False


def translation_unit(file, start, code):
    """The source to compile for the block whose first line is `start`."""
    at_block = f'#line {start} "{file}"\n'
    if MAIN.search(code):
        return at_block + code + "\n"
    includes, body = "", []
    for offset, line in enumerate(code.split("\n")):
        if INCLUDE.match(line):
            includes += f'#line {start + offset} "{file}"\n{line}\n'
            line = ""
        body.append(line)
    body = at_block + "\n".join(body) + "\n"
    return PREAMBLE + includes + (body if defines_function(code) else WRAPPER.format(body=body))


def main(root, out, *files):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for path in map(Path, files):
        file = path.relative_to(root).as_posix()
        try:
            for start, code in blocks(path.read_text(encoding="utf-8")):
                name = f"{file}:{start}"
                (out / f"{name.replace('/', '_')}.cpp").write_text(translation_unit(file, start, code), encoding="utf-8")
                print(name)
        except ValueError as error:
            sys.exit(f"{file}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
