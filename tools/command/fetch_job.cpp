// SPDX-License-Identifier: MIT
#include "tools/command/fetch_job.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "tools/command/arguments.hpp"
#include "tools/command/failure.hpp"
#include "tools/command/text.hpp"

namespace sluice::command {
namespace {

using nlohmann::json;

/// What is wrong with a line.
struct Defect : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// The members of a request, each of the type that it must have.
class RequestObject {
 public:
  explicit RequestObject(const json& object) : object_(&object) {}

  /// A name that means nothing is more likely an error than a remark.
  void check_names() const {
    constexpr std::array<std::string_view, 9> kNames = {
        "id", "method", "url", "headers", "body", "body_base64", "body_file", "timeout", "follow_redirects"};
    for (const auto& [name, value] : object_->items()) {
      if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
        throw Defect("'" + name + "' means nothing in a request");
    }
  }
  /// Nothing if it is absent or null.
  const json* find(const char* name) const {
    auto place = object_->find(name);
    return place == object_->end() || place->is_null() ? nullptr : &*place;
  }
  const std::string* text(const char* name) const {
    const json* value = find(name);
    if (value != nullptr && !value->is_string()) throw Defect("'" + std::string(name) + "' must be a string");
    return value == nullptr ? nullptr : &value->get_ref<const std::string&>();
  }

 private:
  const json* object_;
};

json id_of(const RequestObject& object, std::uint64_t line) {
  const json* id = object.find("id");
  if (id == nullptr) return line;
  if (!id->is_string() && !id->is_number()) throw Defect("'id' must be a string or a number");
  return *id;
}

void apply_fields(const json& fields, Request& request) {
  auto is_text = [](const json& value) { return value.is_string(); };
  Headers stated;
  if (!fields.is_array()) throw Defect("'headers' must be a list of [name, value]");
  for (const json& field : fields) {
    if (!field.is_array() || field.size() != 2 || !is_text(field[0]) || !is_text(field[1]))
      throw Defect("'headers' must be a list of [name, value]");
    stated.add(field[0].get_ref<const std::string&>(), field[1].get_ref<const std::string&>());
  }
  request.headers().merge(stated);
}

Duration timeout_of(const json& value) {
  if (value.is_string()) return parse_duration(value.get<std::string>());
  if (!value.is_number()) throw Defect("'timeout' must be seconds or a duration such as \"500ms\"");
  return parse_duration(value.dump());
}

void apply_timeout(const json& value, Request& request) {
  Timeout timeout = Timeout::all(timeout_of(value));
  timeout.pool = kNoTimeout;
  request.timeout(timeout);
}

void apply_body(const RequestObject& object, FetchJob& job) {
  const std::string* text = object.text("body");
  const std::string* base64 = object.text("body_base64");
  const std::string* file = object.text("body_file");
  if ((text != nullptr) + (base64 != nullptr) + (file != nullptr) > 1)
    throw Defect("only one of 'body', 'body_base64' and 'body_file' may be given");
  if (text != nullptr) job.request->content(*text);
  if (base64 != nullptr) {
    auto bytes = from_base64(*base64);
    if (!bytes) throw Defect("'body_base64' is no base64");
    job.request->content(*bytes);
  }
  if (file != nullptr) job.request->file(*file);
}

void parse_object(std::string_view text, FetchJob& job, const FetchPlan& plan, AsyncClient& client) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) throw Defect("this is no JSON");
  RequestObject object(value);
  job.id = id_of(object, job.line);
  object.check_names();
  const std::string* url = object.text("url");
  if (url == nullptr) throw Defect("'url' is missing");
  job.url = *url;
  const std::string* method = object.text("method");
  job.request =
      plan.make_request(client, method == nullptr ? Method::Get : Method(*method), complete_url(*url));
  if (const json* fields = object.find("headers")) apply_fields(*fields, *job.request);
  if (const json* timeout = object.find("timeout")) apply_timeout(*timeout, *job.request);
  if (const json* follow = object.find("follow_redirects")) {
    if (!follow->is_boolean()) throw Defect("'follow_redirects' must be true or false");
    job.request->follow_redirects(follow->get<bool>());
  }
  apply_body(object, job);
}

void parse_line(const Line& line, std::string_view text, FetchJob& job, const FetchPlan& plan,
                AsyncClient& client) {
  if (line.too_long)
    throw Defect("the line is longer than " + std::to_string(LineSplitter::kMaxLineBytes) + " bytes");
  if (text.starts_with('{')) {
    parse_object(text, job, plan, client);
  } else {
    job.url = text;
    job.request = plan.make_request(client, Method::Get, complete_url(job.url));
  }
  job.host = job.request->url().netloc();
}

void refuse(FetchJob& job, const std::string& reason) {
  job.request.reset();
  job.defect = "line " + std::to_string(job.line) + ": " + reason;
}

}  // namespace

std::optional<FetchJob> parse_job(const Line& line, const FetchPlan& plan, AsyncClient& client) {
  std::string_view text = trimmed(line.text);
  if (text.empty()) return std::nullopt;
  FetchJob job;
  job.line = line.number;
  job.input_bytes = line.text.size();
  job.id = line.number;
  try {
    parse_line(line, text, job, plan, client);
  } catch (const Defect& defect) {
    refuse(job, defect.what());
  } catch (const Failure& failure) {
    refuse(job, failure.what());
  }
  return job;
}

}  // namespace sluice::command
