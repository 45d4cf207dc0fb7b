// SPDX-License-Identifier: MIT
#include <sluice/error.hpp>

namespace sluice {
namespace {

std::string describe(const Error::Facts& facts) {
  std::string text{to_string(facts.kind)};
  text += ": ";
  text += facts.message;
  if (!facts.request.empty()) {
    text += " (";
    text += facts.request;
    text += ')';
  }
  return text;
}

}  // namespace

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::connect_timeout:
      return "ConnectTimeout";
    case ErrorKind::read_timeout:
      return "ReadTimeout";
    case ErrorKind::write_timeout:
      return "WriteTimeout";
    case ErrorKind::pool_timeout:
      return "PoolTimeout";
    case ErrorKind::connect_error:
      return "ConnectError";
    case ErrorKind::read_error:
      return "ReadError";
    case ErrorKind::write_error:
      return "WriteError";
    case ErrorKind::close_error:
      return "CloseError";
    case ErrorKind::local_protocol_error:
      return "LocalProtocolError";
    case ErrorKind::remote_protocol_error:
      return "RemoteProtocolError";
    case ErrorKind::proxy_error:
      return "ProxyError";
    case ErrorKind::unsupported_protocol:
      return "UnsupportedProtocol";
    case ErrorKind::decoding_error:
      return "DecodingError";
    case ErrorKind::too_many_redirects:
      return "TooManyRedirects";
    case ErrorKind::http_status_error:
      return "HTTPStatusError";
    case ErrorKind::invalid_url:
      return "InvalidURL";
    case ErrorKind::cookie_conflict:
      return "CookieConflict";
    case ErrorKind::stream_consumed:
      return "StreamConsumed";
    case ErrorKind::stream_closed:
      return "StreamClosed";
    case ErrorKind::response_not_read:
      return "ResponseNotRead";
    case ErrorKind::request_not_read:
      return "RequestNotRead";
    case ErrorKind::deadline_exceeded:
      return "DeadlineExceeded";
    case ErrorKind::client_closed:
      return "ClientClosed";
    case ErrorKind::system_error:
      return "SystemError";
    case ErrorKind::limit_exceeded:
      return "LimitExceeded";
  }
  return "Error";
}

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::none:
      return "none";
    case Phase::setup:
      return "setup";
    case Phase::pool:
      return "pool";
    case Phase::resolve:
      return "resolve";
    case Phase::connect:
      return "connect";
    case Phase::tls:
      return "tls";
    case Phase::write:
      return "write";
    case Phase::head:
      return "head";
    case Phase::body:
      return "body";
  }
  return "none";
}

Error::Error(Facts facts)
    : facts_(std::make_shared<const Facts>(std::move(facts))),
      what_(std::make_shared<const std::string>(describe(*facts_))) {}

Error::Error(ErrorKind kind, Phase phase, std::string message)
    : Error(Facts(kind, phase, std::move(message))) {}

bool Error::is_timeout() const noexcept {
  return kind() >= ErrorKind::connect_timeout && kind() <= ErrorKind::pool_timeout;
}

bool Error::is_network_error() const noexcept {
  return kind() >= ErrorKind::connect_error && kind() <= ErrorKind::close_error;
}

bool Error::is_protocol_error() const noexcept {
  return kind() == ErrorKind::local_protocol_error || kind() == ErrorKind::remote_protocol_error;
}

bool Error::is_transport_error() const noexcept {
  return kind() <= ErrorKind::unsupported_protocol;
}

void Error::raise() const {
  switch (kind()) {
    case ErrorKind::connect_timeout:
      throw ConnectTimeout(*this);
    case ErrorKind::read_timeout:
      throw ReadTimeout(*this);
    case ErrorKind::write_timeout:
      throw WriteTimeout(*this);
    case ErrorKind::pool_timeout:
      throw PoolTimeout(*this);
    case ErrorKind::connect_error:
      throw ConnectError(*this);
    case ErrorKind::read_error:
      throw ReadError(*this);
    case ErrorKind::write_error:
      throw WriteError(*this);
    case ErrorKind::close_error:
      throw CloseError(*this);
    case ErrorKind::local_protocol_error:
      throw LocalProtocolError(*this);
    case ErrorKind::remote_protocol_error:
      throw RemoteProtocolError(*this);
    case ErrorKind::proxy_error:
      throw ProxyError(*this);
    case ErrorKind::unsupported_protocol:
      throw UnsupportedProtocol(*this);
    case ErrorKind::decoding_error:
      throw DecodingError(*this);
    case ErrorKind::too_many_redirects:
      throw TooManyRedirects(*this);
    case ErrorKind::http_status_error:
      throw HTTPStatusError(*this);
    case ErrorKind::invalid_url:
      throw InvalidURL(*this);
    case ErrorKind::cookie_conflict:
      throw CookieConflict(*this);
    case ErrorKind::stream_consumed:
      throw StreamConsumed(*this);
    case ErrorKind::stream_closed:
      throw StreamClosed(*this);
    case ErrorKind::response_not_read:
      throw ResponseNotRead(*this);
    case ErrorKind::request_not_read:
      throw RequestNotRead(*this);
    case ErrorKind::deadline_exceeded:
      throw DeadlineExceeded(*this);
    case ErrorKind::client_closed:
      throw ClientClosed(*this);
    case ErrorKind::system_error:
      throw SystemError(*this);
    case ErrorKind::limit_exceeded:
      throw LimitExceeded(*this);
  }
  throw Error(*this);
}

}  // namespace sluice
