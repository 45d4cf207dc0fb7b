// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include <sluice/chunk.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/detail/shared_bytes.hpp>
#include <sluice/generator.hpp>
#include <sluice/headers.hpp>

namespace sluice {

/// A file in a multipart form (RFC 7578): bytes, or a file that is opened each time the form is sent.
class FormFile {
 public:
  /// The bytes, copied once; the server sees the filename "upload".
  static FormFile of_bytes(std::string_view bytes) { return FormFile(bytes, false, "upload"); }
  /// The regular file at `path`; the server sees the last part of the path as its filename.
  static FormFile of_path(std::string_view path) {
    return FormFile(path, true, path.substr(path.rfind('/') + 1));
  }

  /// An empty name means none, and then no Content-Type unless one is stated.
  FormFile& filename(std::string_view name) & {
    filename_ = name;
    return *this;
  }
  FormFile&& filename(std::string_view name) && { return std::move(filename(name)); }
  /// Instead of the one that the filename's extension suggests.
  FormFile& content_type(std::string_view type) & {
    content_type_ = type;
    return *this;
  }
  FormFile&& content_type(std::string_view type) && { return std::move(content_type(type)); }
  /// A field in the head of this part; a Content-Type here counts before all else.
  FormFile& header(std::string_view name, std::string_view value) & {
    headers_.set(name, value);
    return *this;
  }
  FormFile&& header(std::string_view name, std::string_view value) && {
    return std::move(header(name, value));
  }

  // What was stated.
  std::string_view filename() const noexcept { return filename_; }
  std::string_view content_type() const noexcept { return content_type_; }  ///< empty: not stated
  const Headers& headers() const noexcept { return headers_; }
  bool has_path() const noexcept { return is_path_; }
  /// The bytes, or the path.
  const detail::SharedBytes& source() const noexcept { return source_; }

 private:
  FormFile(std::string_view source, bool is_path, std::string_view filename)
      : source_(source), is_path_(is_path), filename_(filename) {}

  detail::SharedBytes source_;
  bool is_path_;
  detail::String filename_;
  detail::String content_type_;
  Headers headers_;
};

namespace detail {

/// A file that is sent as it is.
struct FileBody {
  SharedBytes path;
};

/// The fields and files of a form, in their order. Without files it is sent url-encoded, with files as
/// multipart.
struct FormBody {
  Vector<std::pair<String, String>> fields;
  Vector<std::pair<String, FormFile>> files;
};

/// What a coroutine gives. It can be sent once, whichever copy of the request does it.
struct GeneratedBody {
  GeneratedBody(Generator<Chunk> its_generator, std::optional<std::uint64_t> its_length) noexcept
      : generator(std::move(its_generator)), length(its_length) {}

  Generator<Chunk> generator;
  std::optional<std::uint64_t> length;
  bool consumed = false;
};

/// The body of a request. Copying shares what is immutable and what can be sent only once.
class RequestBody {
 public:
  using Content =
      std::variant<SharedBytes, FileBody, std::shared_ptr<FormBody>, std::shared_ptr<GeneratedBody>>;

  RequestBody() = default;
  explicit RequestBody(Content content, bool json = false) : content_(std::move(content)), json_(json) {}

  const Content& content() const noexcept { return content_; }
  /// The bytes of a body that is bytes; otherwise none.
  const SharedBytes& bytes() const noexcept {
    if (const SharedBytes* bytes = std::get_if<SharedBytes>(&content_)) return *bytes;
    static const SharedBytes kNone;
    return kNone;
  }
  bool json() const noexcept { return json_; }
  bool replayable() const noexcept {
    return !std::holds_alternative<std::shared_ptr<GeneratedBody>>(content_);
  }

  void add_field(std::string_view name, std::string_view value) {
    change_form([&](FormBody& form) { form.fields.emplace_back(String(name), String(value)); });
  }
  void add_file(std::string_view name, FormFile file) {
    change_form([&](FormBody& form) { form.files.emplace_back(String(name), std::move(file)); });
  }

 private:
  /// Other copies of the request keep the form as it is.
  template <class Change>
  void change_form(Change change) {
    auto* form = std::get_if<std::shared_ptr<FormBody>>(&content_);
    if (form == nullptr)
      *this = RequestBody(std::allocate_shared<FormBody>(RecyclingAllocator<FormBody>()));
    else if (form->use_count() != 1)
      *form = std::allocate_shared<FormBody>(RecyclingAllocator<FormBody>(), **form);
    change(*std::get<std::shared_ptr<FormBody>>(content_));
  }

  Content content_;
  bool json_ = false;
};

}  // namespace detail
}  // namespace sluice
