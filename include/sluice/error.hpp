// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

/// What went wrong. The names are those of HTTPX's exceptions (in snake case); the last group is our own.
enum class ErrorKind : std::uint8_t {
  // TransportError: TimeoutException
  connect_timeout,
  read_timeout,
  write_timeout,
  pool_timeout,
  // TransportError: NetworkError
  connect_error,
  read_error,
  write_error,
  close_error,
  // TransportError: ProtocolError
  local_protocol_error,   ///< the caller's request may not be sent (CR, LF or NUL in a header, no host ...)
  remote_protocol_error,  ///< the peer's reply breaks HTTP, or was cut short
  // TransportError: the rest
  proxy_error,
  unsupported_protocol,  ///< a URL scheme that this build cannot speak
  // RequestError
  decoding_error,
  too_many_redirects,
  // HTTPError
  http_status_error,  ///< raise_for_status() on a response that is not 2xx
  // on their own
  invalid_url,
  cookie_conflict,
  stream_consumed,
  stream_closed,
  response_not_read,
  request_not_read,
  // sluice's own
  deadline_exceeded,  ///< with_timeout() ran out
  client_closed,      ///< the client was closed while or before the request was made
  system_error,       ///< the machine refuses what the engine needs: io_uring, memory, descriptors
  limit_exceeded,     ///< a configured limit on received data was reached (a buffered body, for instance)
};

/// The step of a request in which an error arose.
enum class Phase : std::uint8_t {
  none,
  setup,    ///< checking the request, making the ring
  pool,     ///< waiting for a connection
  resolve,  ///< name to addresses
  connect,  ///< TCP or unix connect
  tls,      ///< the TLS handshake
  write,    ///< sending the request
  head,     ///< waiting for or reading the response head
  body,     ///< reading the response body
};

/// The HTTPX name of a kind: "ConnectTimeout", "RemoteProtocolError", ...
std::string_view to_string(ErrorKind kind);
/// The name of a phase: "connect", "head", ...
std::string_view to_string(Phase phase);

/// An error of a request: kind, phase, cause and the facts that a caller needs to decide what to do next.
///
/// A value: cheap to copy (the facts are shared and immutable), safe to pass between threads. Thrown errors
/// have the dynamic type of the kind (see the classes below), so `catch (const sluice::TimeoutException&)`
/// works as in HTTPX, and `catch (const sluice::Error&)` takes all.
class Error : public std::exception {
 public:
  /// The facts of an error. Build one, fill in what is known, and make an Error of it.
  class Facts {
   public:
    Facts(ErrorKind error_kind, Phase error_phase, std::string error_message)
        : kind(error_kind), phase(error_phase), message(std::move(error_message)) {}

    ErrorKind kind;
    Phase phase;
    std::string message;               ///< what happened, one line, no credentials
    int system_code = 0;               ///< errno of the failing call, 0 if none
    std::string library_code;          ///< llhttp's or OpenSSL's code, empty if none
    std::string peer;                  ///< address that was talked to, empty if none
    std::string request;               ///< "GET http://host/path", empty if no request was made
    std::uint64_t bytes_sent = 0;      ///< bytes of this request given to the kernel and accepted
    std::uint64_t bytes_received = 0;  ///< bytes of this response received
    bool safe_to_retry = false;        ///< true only if the peer cannot have acted on the request
  };

  explicit Error(Facts facts);
  Error(ErrorKind kind, Phase phase, std::string message);

  ErrorKind kind() const noexcept { return facts_->kind; }
  Phase phase() const noexcept { return facts_->phase; }
  const Facts& facts() const noexcept { return *facts_; }
  int system_code() const noexcept { return facts_->system_code; }
  bool safe_to_retry() const noexcept { return facts_->safe_to_retry; }
  /// "ConnectError: connection refused by 127.0.0.1:1 (GET http://127.0.0.1:1/)". The text is not stable.
  const char* what() const noexcept override { return what_->c_str(); }

  bool is_timeout() const noexcept;          ///< ConnectTimeout, ReadTimeout, WriteTimeout, PoolTimeout
  bool is_network_error() const noexcept;    ///< ConnectError, ReadError, WriteError, CloseError
  bool is_protocol_error() const noexcept;   ///< LocalProtocolError, RemoteProtocolError
  bool is_transport_error() const noexcept;  ///< all of the above, ProxyError, UnsupportedProtocol

  /// Throws this error with the dynamic type of its kind.
  [[noreturn]] void raise() const;

 private:
  std::shared_ptr<const Facts> facts_;
  std::shared_ptr<const std::string> what_;
};

// HTTPX's exception classes, for catch clauses. None has members of its own: an Error says it all.
struct HTTPError : Error {
  explicit HTTPError(const Error& error) : Error(error) {}
};
struct RequestError : HTTPError {
  explicit RequestError(const Error& error) : HTTPError(error) {}
};
struct TransportError : RequestError {
  explicit TransportError(const Error& error) : RequestError(error) {}
};
struct TimeoutException : TransportError {
  explicit TimeoutException(const Error& error) : TransportError(error) {}
};
struct ConnectTimeout : TimeoutException {
  explicit ConnectTimeout(const Error& error) : TimeoutException(error) {}
};
struct ReadTimeout : TimeoutException {
  explicit ReadTimeout(const Error& error) : TimeoutException(error) {}
};
struct WriteTimeout : TimeoutException {
  explicit WriteTimeout(const Error& error) : TimeoutException(error) {}
};
struct PoolTimeout : TimeoutException {
  explicit PoolTimeout(const Error& error) : TimeoutException(error) {}
};
struct NetworkError : TransportError {
  explicit NetworkError(const Error& error) : TransportError(error) {}
};
struct ConnectError : NetworkError {
  explicit ConnectError(const Error& error) : NetworkError(error) {}
};
struct ReadError : NetworkError {
  explicit ReadError(const Error& error) : NetworkError(error) {}
};
struct WriteError : NetworkError {
  explicit WriteError(const Error& error) : NetworkError(error) {}
};
struct CloseError : NetworkError {
  explicit CloseError(const Error& error) : NetworkError(error) {}
};
struct ProtocolError : TransportError {
  explicit ProtocolError(const Error& error) : TransportError(error) {}
};
struct LocalProtocolError : ProtocolError {
  explicit LocalProtocolError(const Error& error) : ProtocolError(error) {}
};
struct RemoteProtocolError : ProtocolError {
  explicit RemoteProtocolError(const Error& error) : ProtocolError(error) {}
};
struct ProxyError : TransportError {
  explicit ProxyError(const Error& error) : TransportError(error) {}
};
struct UnsupportedProtocol : TransportError {
  explicit UnsupportedProtocol(const Error& error) : TransportError(error) {}
};
struct DecodingError : RequestError {
  explicit DecodingError(const Error& error) : RequestError(error) {}
};
struct TooManyRedirects : RequestError {
  explicit TooManyRedirects(const Error& error) : RequestError(error) {}
};
struct HTTPStatusError : HTTPError {
  explicit HTTPStatusError(const Error& error) : HTTPError(error) {}
};
struct InvalidURL : Error {
  explicit InvalidURL(const Error& error) : Error(error) {}
};
struct CookieConflict : Error {
  explicit CookieConflict(const Error& error) : Error(error) {}
};
struct StreamError : Error {
  explicit StreamError(const Error& error) : Error(error) {}
};
struct StreamConsumed : StreamError {
  explicit StreamConsumed(const Error& error) : StreamError(error) {}
};
struct StreamClosed : StreamError {
  explicit StreamClosed(const Error& error) : StreamError(error) {}
};
struct ResponseNotRead : StreamError {
  explicit ResponseNotRead(const Error& error) : StreamError(error) {}
};
struct RequestNotRead : StreamError {
  explicit RequestNotRead(const Error& error) : StreamError(error) {}
};
struct DeadlineExceeded : Error {
  explicit DeadlineExceeded(const Error& error) : Error(error) {}
};
struct ClientClosed : Error {
  explicit ClientClosed(const Error& error) : Error(error) {}
};
struct SystemError : Error {
  explicit SystemError(const Error& error) : Error(error) {}
};
struct LimitExceeded : Error {
  explicit LimitExceeded(const Error& error) : Error(error) {}
};

}  // namespace sluice
