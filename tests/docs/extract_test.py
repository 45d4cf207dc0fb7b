"""Tests of extract.py, which decides how the documentation's examples are compiled."""
import unittest

import extract


class Blocks(unittest.TestCase):
    def test_only_cpp_blocks_with_the_line_of_their_code(self):
        text = "a\n```cpp\nint x;\n```\n```sh\nls\n```\n- b\n  ```cpp\n  f();\n  ```\n"
        self.assertEqual(list(extract.blocks(text)), [(3, "int x;"), (10, "f();")])

    def test_a_fence_inside_a_longer_fence_is_text(self):
        self.assertEqual(list(extract.blocks("````md\n```cpp\nx\n```\n````\n")), [])

    def test_an_open_block_is_an_error(self):
        with self.assertRaises(ValueError):
            list(extract.blocks("```cpp\nint x;\n"))


class Kind(unittest.TestCase):
    DEFINITIONS = [
        "sluice::Task<void> f(sluice::AsyncClient& client) {\n}",
        "auto f(int a,\n       int b = g(1))\n    -> int {\n}",
        "template <class T>\nvoid f(T) {}",
        "std::vector<std::string> names(int n) { return {}; }",
        "[[nodiscard]] int* f() noexcept {\n}",
    ]
    STATEMENTS = [
        'auto res = co_await client.get("/");',
        "co_await sluice::scope([&](sluice::Scope& s) -> sluice::Task<void> {\n  co_return;\n});",
        "sluice::AsyncClient other(options);",
        "if (x) {\n} else if (y) {\n}",
        "while (auto chunk = co_await body.next()) {\n}",
        "auto f = with([](int a) { return a; });",
        "sluice::AsyncClient fake{sluice::HandlerTransport{[](sluice::Request r) -> sluice::Task<sluice::Response> {\n}}};",
        "try {\n} catch (const sluice::Error& e) {\n}",
        "struct Local { int f() { return 1; } };",
        "for (int i = 0; i < 3; ++i) {\n}",
    ]

    def test_definitions(self):
        for code in self.DEFINITIONS:
            self.assertTrue(extract.defines_function(code), code)

    def test_statements(self):
        for code in self.STATEMENTS:
            self.assertFalse(extract.defines_function(code), code)


class Unit(unittest.TestCase):
    def test_a_program_stays_as_it_is(self):
        unit = extract.translation_unit("README.md", 7, "#include <a>\nint main() {}")
        self.assertEqual(unit, '#line 7 "README.md"\n#include <a>\nint main() {}\n')

    def test_statements_are_wrapped_and_their_includes_moved_out(self):
        unit = extract.translation_unit("a.md", 7, "#include <a>\nco_await f();")
        self.assertLess(unit.index("#include <a>"), unit.index("sluice::Task<void> example"))
        self.assertIn('#line 7 "a.md"\n\nco_await f();', unit)


if __name__ == "__main__":
    unittest.main()
