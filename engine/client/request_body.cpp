// SPDX-License-Identifier: MIT
#include "engine/client/request_body.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include <sys/random.h>

#include "engine/http/exchange.hpp"
#include "engine/wire/head_writer.hpp"
#include "engine/wire/multipart_writer.hpp"

namespace sluice::detail {
namespace {

using http::Upload;

constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

Error refused(const Request& request, ErrorKind kind, std::string message) {
  Error::Facts facts(kind, Phase::setup, std::move(message));
  facts.request = http::describe(request);
  return Error(std::move(facts));
}

Error of_request(const Request& request, const Error& error) {
  Error::Facts facts = error.facts();
  facts.request = http::describe(request);
  facts.safe_to_retry = true;
  return Error(std::move(facts));
}

/// HTTPX's rule: POST, PUT and PATCH state their length even when the body is empty.
bool always_states_length(const Method& method) {
  return method == Method::Post || method == Method::Put || method == Method::Patch;
}

/// States the length of a body. What the caller stated himself must be true: the peer would take what differs
/// for a part of the next request, or wait for what never comes.
Result<void> state_length(Request& request, std::uint64_t size, bool even_if_empty) {
  std::array<char, 20> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size).ptr;
  std::string_view length(digits.data(), static_cast<std::size_t>(end - digits.data()));
  auto stated_length = request.headers().first("content-length");
  if (request.headers().contains("transfer-encoding"))
    return refused(request, ErrorKind::local_protocol_error,
                   "Transfer-Encoding was set, but the body is sent as it is");
  if (stated_length && *stated_length != length)
    return refused(request, ErrorKind::local_protocol_error, "Content-Length is not the length of the body");
  if (!stated_length && (size != 0 || even_if_empty)) request.headers().add("Content-Length", length);
  return {};
}

void state_type(Request& request, std::string_view type) {
  if (!request.headers().contains("content-type")) request.headers().add("Content-Type", type);
}

/// The wish of the caller to be asked for the body; without a body it must not be sent (RFC 9110, 10.1.1).
bool wants_continue(Request& request, bool has_body) {
  auto expectation = request.headers().first("expect");
  if (!expectation || !equal_ignoring_case(*expectation, "100-continue")) return false;
  if (!has_body) request.headers().remove("expect");
  return has_body;
}

// ---- what goes out, kind by kind

Result<std::unique_ptr<Upload>> bytes_upload(Request& request, const SharedBytes& bytes,
                                             std::string_view type) {
  auto stated = state_length(request, bytes.size(), always_states_length(request.method()));
  if (!stated) return std::move(stated).error();
  if (!type.empty()) state_type(request, type);
  if (!wants_continue(request, !bytes.empty())) return std::unique_ptr<Upload>();
  Upload::Parts parts;
  parts.emplace_back(bytes);
  return std::make_unique<Upload>(std::move(parts));
}

Result<std::unique_ptr<Upload>> file_upload(Request& request, const FileBody& body) {
  auto file = net::File::open(body.path.view());
  if (!file) return of_request(request, file.error());
  auto stated = state_length(request, file->size(), true);
  if (!stated) return std::move(stated).error();
  if (file->size() == 0) {
    wants_continue(request, false);
    return std::unique_ptr<Upload>();
  }
  Upload::Parts parts;
  parts.emplace_back(*std::move(file));
  return std::make_unique<Upload>(std::move(parts));
}

/// The length that the caller stated in a header, for a body that has none of its own.
Result<std::optional<std::uint64_t>> length_in_header(const Request& request) {
  auto text = request.headers().first("content-length");
  if (!text) return std::optional<std::uint64_t>();
  std::uint64_t length = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), length);
  if (error != std::errc() || end != text->data() + text->size())
    return refused(request, ErrorKind::local_protocol_error, "Content-Length is not a number");
  return std::optional(length);
}

Result<std::unique_ptr<Upload>> generated_upload(Request& request, GeneratedBody& body) {
  if (body.consumed)
    return refused(request, ErrorKind::stream_consumed,
                   "the body's generator has been sent before and cannot be sent again");
  std::optional<std::uint64_t> length = body.length;
  if (!length) {
    auto stated = length_in_header(request);
    if (!stated) return std::move(stated).error();
    length = *stated;
  }
  if (length) {
    auto stated = state_length(request, *length, true);
    if (!stated) return std::move(stated).error();
  } else if (!request.headers().contains("transfer-encoding")) {
    request.headers().add("Transfer-Encoding", "chunked");
  }
  body.consumed = true;
  return std::make_unique<Upload>(std::move(body.generator), length);
}

// ---- forms

std::string random_boundary() {
  std::array<unsigned char, 16> random;
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) std::abort();
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : random) (text += kHex[byte >> 4U]) += kHex[byte & 15U];
  return text;
}

/// The boundary of the caller's Content-Type, or a random one, and then Content-Type is stated later.
Result<std::string> choose_boundary(const Request& request) {
  auto type = request.headers().first("content-type");
  if (!type || !wire::is_form_data(*type)) return random_boundary();
  auto boundary = wire::boundary_of(*type);
  if (!boundary)
    return refused(request, ErrorKind::local_protocol_error, "Content-Type states no boundary for the form");
  return std::string(*boundary);
}

/// Collects a multipart body: text and bytes that follow each other become one part, files stand alone.
class PartCollector {
 public:
  String& text() noexcept { return text_; }
  Result<void> add(const FormFile& file) {
    if (!file.has_path()) {
      text_ += file.source().view();
      return {};
    }
    auto opened = net::File::open(file.source().view());
    if (!opened) return std::move(opened).error();
    flush();
    size_ += opened->size();
    parts_.emplace_back(*std::move(opened));
    return {};
  }
  Upload::Parts take() {
    flush();
    return std::move(parts_);
  }
  /// Of what take() has given.
  std::uint64_t size() const noexcept { return size_; }

 private:
  void flush() {
    if (text_.empty()) return;
    size_ += text_.size();
    parts_.emplace_back(SharedBytes(text_));
    text_.clear();
  }

  String text_;
  Upload::Parts parts_;
  std::uint64_t size_ = 0;
};

Result<void> add_file(PartCollector& collector, std::string_view boundary, std::string_view name,
                      const FormFile& file) {
  wire::PartHead head{.name = name, .filename = file.filename(), .headers = &file.headers()};
  if (!file.content_type().empty())
    head.content_type = file.content_type();
  else if (!file.filename().empty())
    head.content_type = wire::media_type_of(file.filename());
  Headers written = file.headers();
  if (head.content_type) written.add("Content-Type", *head.content_type);
  wire::FramingFields unused;
  if (const char* fault = wire::fields_fault(written, unused))
    return Error(ErrorKind::local_protocol_error, Phase::setup,
                 std::string("in a part of the form: ") + fault);
  wire::write_part_head(collector.text(), boundary, head);
  auto added = collector.add(file);
  collector.text() += wire::kPartEnd;
  return added;
}

Result<std::unique_ptr<Upload>> multipart_upload(Request& request, RequestBody& body, const FormBody& form) {
  auto boundary = choose_boundary(request);
  if (!boundary) return std::move(boundary).error();
  PartCollector collector;
  for (const auto& [name, value] : form.fields) {
    wire::write_part_head(collector.text(), *boundary, {.name = name});
    collector.text().append(value).append(wire::kPartEnd);
  }
  for (const auto& [name, file] : form.files) {
    auto added = add_file(collector, *boundary, name, file);
    if (!added) return of_request(request, added.error());
  }
  wire::write_multipart_end(collector.text(), *boundary);
  Upload::Parts parts = collector.take();
  std::string type = "multipart/form-data; boundary=" + *boundary;
  if (parts.size() == 1) {
    SharedBytes whole = std::get<SharedBytes>(parts.front());
    body = RequestBody(whole);
    return bytes_upload(request, whole, type);
  }
  auto stated = state_length(request, collector.size(), true);
  if (!stated) return std::move(stated).error();
  state_type(request, type);
  return std::make_unique<Upload>(std::move(parts));
}

Result<std::unique_ptr<Upload>> form_upload(Request& request, RequestBody& body) {
  std::shared_ptr<FormBody> form = std::get<std::shared_ptr<FormBody>>(body.content());
  if (!form->files.empty()) return multipart_upload(request, body, *form);
  String text;
  for (const auto& [name, value] : form->fields) append_query_parameter(text, name, value);
  SharedBytes whole{std::string_view(text)};
  body = RequestBody(whole);
  return bytes_upload(request, whole, kFormType);
}

Result<std::unique_ptr<Upload>> make_upload(Request& request, RequestBody& body) {
  if (const auto* file = std::get_if<FileBody>(&body.content())) return file_upload(request, *file);
  if (const auto* generated = std::get_if<std::shared_ptr<GeneratedBody>>(&body.content()))
    return generated_upload(request, **generated);
  if (std::holds_alternative<std::shared_ptr<FormBody>>(body.content())) return form_upload(request, body);
  return bytes_upload(request, body.bytes(), body.json() ? "application/json" : "");
}

}  // namespace

Result<std::unique_ptr<Upload>> prepare_body(Request& request, RequestBody& body, Duration continue_wait) {
  auto upload = make_upload(request, body);
  if (upload && *upload != nullptr && wants_continue(request, true))
    (*upload)->expect_continue(continue_wait);
  return upload;
}

}  // namespace sluice::detail
