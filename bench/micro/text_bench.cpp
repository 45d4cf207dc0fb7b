// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "engine/wire/line_splitter.hpp"
#include "engine/wire/text_decoder.hpp"

// A body of 1 MiB that arrives in pieces of 64 KiB, as from a receive buffer, in a cache that is warm.
namespace sluice::wire {
namespace {

constexpr std::size_t kBodyBytes = std::size_t{1} << 20;
constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

constexpr std::string_view kEnglish =
    "The quick brown fox jumps over the lazy dog and looks for another one. ";
constexpr std::string_view kGerman = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich; süß. ";
constexpr std::string_view kRussian = "Съешь же ещё этих мягких французских булок, да выпей чаю. ";
constexpr std::string_view kJapanese = "いろはにほへとちりぬるを我が世誰ぞ常ならむ。有為の奥山今日越えて、";

/// Lines of `line_bytes` bytes, their ends counted, or a little less where a character would be cut.
std::string body_of(std::string_view sample, std::size_t line_bytes, std::string_view line_end) {
  std::string body;
  std::size_t at = 0;
  while (body.size() + line_bytes <= kBodyBytes) {
    std::string line;
    while (true) {
      std::size_t next = at + 1;
      while (next < sample.size() && (sample[next] & 0xC0) == 0x80) ++next;
      if (line.size() + (next - at) + line_end.size() > line_bytes) break;
      line += sample.substr(at, next - at);
      at = next == sample.size() ? 0 : next;
    }
    body += line.append(line_end);
  }
  return body;
}

template <class Use>
void for_each_piece(std::string_view body, Use use) {
  for (; !body.empty(); body.remove_prefix(std::min(kPieceBytes, body.size())))
    use(body.substr(0, kPieceBytes));
}

void report_bytes(benchmark::State& state, const std::string& body) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}

/// What iter_lines does: decode, then split. `state.range(0)` is the length of a line.
void lines(benchmark::State& state, LineMode mode, std::string_view sample) {
  const std::string_view line_end = mode == LineMode::crlf ? "\r\n" : "\n";
  const std::string body = body_of(sample, static_cast<std::size_t>(state.range(0)), line_end);
  for (auto _ : state) {
    TextDecoder decoder(Charset::utf8());
    LineSplitter splitter(mode, std::size_t{1} << 30);
    for_each_piece(body, [&](std::string_view piece) {
      std::string_view text = decoder.decode(piece);
      while (splitter.next(text) == LineSplitter::Event::line) benchmark::DoNotOptimize(splitter.line());
    });
  }
  report_bytes(state, body);
}

void text(benchmark::State& state, std::string_view label, std::string_view sample) {
  const std::string body = body_of(sample, 60, "\n");
  for (auto _ : state) {
    TextDecoder decoder(Charset::find(label).value());
    for_each_piece(body, [&](std::string_view piece) { benchmark::DoNotOptimize(decoder.decode(piece)); });
  }
  report_bytes(state, body);
}

void charset_of_an_html_page(benchmark::State& state, std::string_view label) {
  const std::string type = "text/html; charset=" + std::string(label);
  for (auto _ : state) {
    TextDecoder decoder(Charset::find(charset_of(type).value()).value());
    benchmark::DoNotOptimize(decoder.decode(std::string_view("\xE9")));
  }
}

#define SLUICE_LINE_LENGTHS Arg(20)->Arg(60)->Arg(120)
BENCHMARK_CAPTURE(lines, universal, LineMode::universal, kEnglish)->SLUICE_LINE_LENGTHS;
BENCHMARK_CAPTURE(lines, lf, LineMode::lf, kEnglish)->SLUICE_LINE_LENGTHS;
BENCHMARK_CAPTURE(lines, crlf, LineMode::crlf, kEnglish)->SLUICE_LINE_LENGTHS;
BENCHMARK_CAPTURE(lines, sse, LineMode::sse, kEnglish)->SLUICE_LINE_LENGTHS;
BENCHMARK_CAPTURE(lines, ndjson, LineMode::ndjson, kEnglish)->SLUICE_LINE_LENGTHS;
BENCHMARK_CAPTURE(lines, universal_german, LineMode::universal, kGerman)->SLUICE_LINE_LENGTHS;
BENCHMARK_CAPTURE(lines, universal_russian, LineMode::universal, kRussian)->SLUICE_LINE_LENGTHS;
BENCHMARK_CAPTURE(lines, universal_japanese, LineMode::universal, kJapanese)->SLUICE_LINE_LENGTHS;
BENCHMARK_CAPTURE(lines, lf_german, LineMode::lf, kGerman)->SLUICE_LINE_LENGTHS;

BENCHMARK_CAPTURE(text, utf8_english, "utf-8", kEnglish);
BENCHMARK_CAPTURE(text, utf8_german, "utf-8", kGerman);
BENCHMARK_CAPTURE(text, utf8_russian, "utf-8", kRussian);
BENCHMARK_CAPTURE(text, utf8_japanese, "utf-8", kJapanese);
BENCHMARK_CAPTURE(text, latin1, "latin-1", kGerman);
BENCHMARK_CAPTURE(text, windows1251, "windows-1251", kRussian);
BENCHMARK_CAPTURE(text, gb18030, "gb18030", kGerman);

BENCHMARK_CAPTURE(charset_of_an_html_page, utf8, "utf-8");
BENCHMARK_CAPTURE(charset_of_an_html_page, windows1252, "windows-1252");
BENCHMARK_CAPTURE(charset_of_an_html_page, big5, "big5");

}  // namespace
}  // namespace sluice::wire
