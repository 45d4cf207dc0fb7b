// SPDX-License-Identifier: MIT
#include <sluice/client.hpp>

#include "engine/client/client_core.hpp"
#include "engine/wire/content_decoder.hpp"

namespace sluice {

// ---- options

Headers ClientOptions::default_headers() {
  return Headers{{"Accept", "*/*"},
                 {"Accept-Encoding", wire::accept_encoding()},
                 {"Connection", "keep-alive"},
                 {"User-Agent", "sluice/" SLUICE_VERSION}};
}

ClientOptions& ClientOptions::base_url(std::string_view url) {
  Url parsed = Url::parse(url).value();
  if (!parsed.is_absolute() || parsed.raw_path().find('?') != std::string_view::npos ||
      !parsed.fragment().empty())
    throw InvalidURL(Error(ErrorKind::invalid_url, Phase::setup,
                           "a base URL must be absolute and have neither query nor fragment"));
  base_url_ = std::move(parsed);
  return *this;
}

ClientOptions& ClientOptions::header(std::string_view name, std::string_view value) {
  headers_.set(name, value);
  return *this;
}

ClientOptions& ClientOptions::without_header(std::string_view name) {
  headers_.remove(name);
  return *this;
}

ClientOptions& ClientOptions::query(std::string_view name, std::string_view value) {
  parameters_.emplace_back(name, value);
  return *this;
}

ClientOptions& ClientOptions::timeout(Timeout timeout) {
  timeout_ = timeout;
  return *this;
}

ClientOptions& ClientOptions::limits(Limits limits) {
  limits_ = limits;
  return *this;
}

ClientOptions& ClientOptions::receive_limits(ReceiveLimits limits) {
  receive_limits_ = limits;
  return *this;
}

ClientOptions& ClientOptions::drain(Drain drain) {
  drain_ = drain;
  return *this;
}

ClientOptions& ClientOptions::default_encoding(std::string_view name) {
  default_encoding_ =
      std::make_shared<detail::DefaultEncoding>(detail::DefaultEncoding{std::string(name), nullptr});
  return *this;
}

ClientOptions& ClientOptions::default_encoding(std::function<std::string(std::string_view)> detect) {
  default_encoding_ =
      std::make_shared<detail::DefaultEncoding>(detail::DefaultEncoding{"", std::move(detect)});
  return *this;
}

ClientOptions& ClientOptions::follow_redirects(bool follow) {
  follow_redirects_ = follow;
  return *this;
}

ClientOptions& ClientOptions::max_redirects(std::uint32_t count) {
  max_redirects_ = count;
  return *this;
}

ClientOptions& ClientOptions::tls(TlsContext context) {
  tls_ = std::move(context);
  return *this;
}

ClientOptions& ClientOptions::unix_socket(std::string_view path) {
  unix_socket_ = path;
  return *this;
}

// ---- request

Request::Request(Method method, std::string_view url) : method_(method) {
  Result<Url> parsed = Url::parse(url);
  if (parsed)
    url_ = *std::move(parsed);
  else
    defect_ = parsed.error();
}

namespace {

Task<Result<Response>> send_by_itself(Request request) {
  auto core = std::make_shared<detail::ClientCore>(ring::Loop::current(), ClientOptions());
  co_return co_await detail::ClientCore::send(std::move(core), std::move(request));
}

}  // namespace

Task<Result<Response>> RequestBuilder::as_result() && {
  if (core_ == nullptr) return send_by_itself(std::move(request_));
  return detail::ClientCore::send(std::move(core_), std::move(request_));
}

Task<Result<StreamingResponse>> StreamBuilder::as_result() && {
  return detail::ClientCore::stream(std::move(core_), std::move(request_));
}

RequestBuilder request(Method method, std::string_view url) {
  return RequestBuilder(nullptr, detail::ClientCore::build(ClientOptions(), method, url));
}

// ---- client

AsyncClient::AsyncClient(const ClientOptions& options)
    : core_(std::make_shared<detail::ClientCore>(ring::Loop::current(), options)) {}

AsyncClient::AsyncClient(Shard& shard, const ClientOptions& options)
    : core_(std::make_shared<detail::ClientCore>(shard.loop(), options)) {}

AsyncClient::~AsyncClient() {
  if (core_ != nullptr) core_->close();
}

RequestBuilder AsyncClient::request(Method method, std::string_view url) {
  return RequestBuilder(core_, core_->build(method, url));
}

Request AsyncClient::build_request(Method method, std::string_view url) {
  return core_->build(method, url);
}

RequestBuilder AsyncClient::send(Request request) {
  return RequestBuilder(core_, std::move(request));
}

StreamBuilder AsyncClient::stream(Method method, std::string_view url) {
  return StreamBuilder(core_, core_->build(method, url));
}

StreamBuilder AsyncClient::send_streaming(Request request) {
  return StreamBuilder(core_, std::move(request));
}

void AsyncClient::close() {
  core_->close();
}

bool AsyncClient::is_closed() const noexcept {
  return core_->pool().closed();
}

TlsTicketStats AsyncClient::tls_ticket_stats() const {
  return core_->tls_ticket_stats();
}

PoolStats AsyncClient::pool_stats() const {
  return core_->pool().stats();
}

}  // namespace sluice
