// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>

#include <sluice/request.hpp>
#include <sluice/result.hpp>
#include <sluice/task.hpp>

#include "engine/http/connector.hpp"
#include "engine/http/pool.hpp"
#include "engine/http/upload.hpp"
#include "engine/wire/head_parser.hpp"
#include "engine/wire/response_reader.hpp"

namespace sluice::http {

/// One request and its response on a connection of the pool.
///
/// Usage: open(), then poll() for what the response holds; when it says need_more, `supply(co_await read())`.
/// The steps between two reads are plain calls, so a response that arrived whole costs no coroutine per
/// piece. After `end` the connection is back in the pool; after `failed`, and when the exchange is destroyed
/// early, it is closed.
class Exchange {
 public:
  using Event = wire::MessageReader::Event;

  /// Pool and connector must outlive the exchange.
  Exchange(Pool& pool, Connector& connector, const Timeout& timeout, TimePoint start = Clock::now())
      : start_(start), pool_(&pool), connector_(&connector), timeout_(timeout) {}

  /// A body that does not leave with the head, to be sent by open(); null for none.
  void carry(std::unique_ptr<Upload> upload) noexcept { upload_ = std::move(upload); }

  /// Gets a connection, sends the request and reads up to the final response head, which is written to
  /// `head`. Request and head must live as long as the exchange. A final response that comes before the
  /// request has been sent ends the sending. Throws what a body's generator has thrown, unless it is an
  /// Error.
  Task<Result<void>> open(const Request& request, wire::ResponseHead& head);

  Event poll();
  net::Socket::ReadAwaiter read() { return socket().read(timeout_.read, reader().body_bytes_to_come()); }
  /// The same for who wants no more of the body: the kernel throws away what it can.
  net::Socket::ReadAwaiter discard();
  void supply(net::ReadOutcome outcome);

  /// After a body event: the bytes, valid until the next poll().
  std::span<const char> body() const { return reader().body(); }
  /// After a body event: a lease on the bytes, which outlives the exchange.
  ring::Lease body_lease() const { return input_lease_.share(body()); }
  /// The body's announced size. Holds after the head until the exchange has ended.
  std::optional<std::uint64_t> content_length() const { return reader().content_length(); }
  /// What TLS has negotiated; none without TLS. Holds after open().
  std::shared_ptr<const net::TlsFacts> tls() const;
  std::uint64_t body_bytes() const noexcept { return body_bytes_; }
  /// All bytes that came for the response: heads, the chunked coding and body.
  std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  /// After `end`.
  Headers take_trailers() { return std::move(trailers_); }
  /// Ends the exchange as failed, also for a reason of the caller's; closes the connection if it still has
  /// one. `library_code`: of the library that found the fault, if one did.
  Event fail(ErrorKind kind, std::string message, std::string library_code = {});
  /// Ends it without a word: closes the connection, if it still has one. A task that waits in read() is woken
  /// and ends it.
  void abandon();
  /// Whether a task waits in read() or discard().
  bool reader_waits() const;
  /// After `failed`: why, with the facts.
  Error error() const;

 private:
  wire::ResponseReader& reader() { return slot_.connection().reader; }
  const wire::ResponseReader& reader() const { return const_cast<Slot&>(slot_).connection().reader; }
  net::Socket& socket() { return *slot_.connection().socket; }

  Task<Result<void>> get_connection(const Request& request);
  void send(const Request& request, wire::ResponseHead& head);
  void report_informational();
  void stop_sending();
  void end();
  void drop_input();
  bool reusable();
  Event fail_reading();
  Event fail_upload();
  void add_facts(Error::Facts& facts);

  TimePoint start_;  // of sending, or of the wait for a connection before it
  Pool* pool_;
  Connector* connector_;
  const Request* request_ = nullptr;
  wire::ResponseHead* head_ = nullptr;
  Timeout timeout_;
  Slot slot_;
  std::unique_ptr<Upload> upload_;  // behind the slot: it uses the socket
  ring::Lease input_lease_;
  std::span<const char> input_;
  Headers trailers_;
  net::SocketStatus input_status_ = net::SocketStatus::ok;
  bool head_done_ = false;
  bool asked_to_close_ = false;
  bool cut_short_ = false;  // the response came before the request had been sent
  std::uint64_t body_bytes_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t sent_before_ = 0;  // bytes of the connection when this exchange began
  std::uint64_t received_before_ = 0;
  std::optional<Error> error_;
  std::exception_ptr thrown_;  // by the generator of the body
};

/// A URL for error texts: without userinfo, query and fragment, which may hold secrets.
std::string without_secrets(const Url& url);
/// "GET http://host/path", the same for a request.
std::string describe(const Request& request);

}  // namespace sluice::http
