// SPDX-License-Identifier: MIT
#include "engine/http/exchange.hpp"

#include <cerrno>
#include <cstring>

#include "engine/net/tls_session.hpp"
#include "engine/wire/request_writer.hpp"

namespace sluice::http {
namespace {

// Less than this is received and dropped: to stop a multishot receive and start it again costs more.
constexpr std::uint64_t kSmallestDiscardBytes = 128 * 1024;

/// An error from before the request was sent, with what only the exchange knows.
Error before_sending(const Error& error, const Request& request) {
  Error::Facts facts = error.facts();
  facts.request = describe(request);
  facts.safe_to_retry = true;
  return Error(std::move(facts));
}

OriginKey key_of(const Url& url) {
  return {url.scheme(), url.raw_host(), url.effective_port()};
}

}  // namespace

std::string without_secrets(const Url& url) {
  std::string text(url.scheme());
  if (!text.empty()) text += ':';
  if (!url.netloc().empty()) text.append("//").append(url.netloc());
  std::string_view target = url.raw_path();
  text += target.substr(0, target.find('?'));
  return text;
}

std::string describe(const Request& request) {
  return std::string(request.method().name()) + ' ' + without_secrets(request.url());
}

Task<Result<void>> Exchange::open(const Request& request, wire::ResponseHead& head) {
  request_ = &request;
  head_ = &head;
  auto checked = wire::check_request(request.method(), request.url().raw_path(), request.headers());
  if (!checked) co_return before_sending(checked.error(), request);
  asked_to_close_ = checked->connection_close();
  slot_ = pool_->try_acquire(key_of(request.url()));
  if (!slot_ || !slot_.connected()) {
    auto connected = co_await get_connection(request);
    if (!connected) co_return before_sending(connected.error(), request);
    start_ = Clock::now();
  }
  send(request, head);
  for (;;) {
    Event event = poll();
    if (event == Event::need_more) supply(co_await read());
    if (event == Event::head) co_return Result<void>();
    if (event == Event::failed && thrown_ != nullptr) std::rethrow_exception(thrown_);
    if (event == Event::failed) co_return error();
  }
}

Task<Result<void>> Exchange::get_connection(const Request& request) {
  if (!slot_) {
    auto acquired = co_await pool_->acquire(key_of(request.url()), timeout_.pool);
    if (!acquired) co_return std::move(acquired).error();
    slot_ = *std::move(acquired);
  }
  if (!slot_.connected()) {
    auto socket = co_await connector_->connect(slot_.origin(), timeout_.connect);
    if (pool_->closed()) co_return Error(ErrorKind::client_closed, Phase::connect, "the client was closed");
    if (!socket) co_return std::move(socket).error();
    slot_.attach(*std::move(socket));
  }
  co_return Result<void>();
}

void Exchange::send(const Request& request, wire::ResponseHead& head) {
  Connection& connection = slot_.connection();
  sent_before_ = socket().bytes_sent();
  received_before_ = socket().bytes_received();
  if (pool_->closed()) {
    fail(ErrorKind::client_closed, "the client was closed");
    return;
  }
  if (socket().stirred()) {
    // A reply to nothing (RFC 9112, 9.2), or a server that hung up at once.
    fail(ErrorKind::remote_protocol_error, "the server spoke or hung up before the request was sent");
    return;
  }
  connection.reader.start(request.method() == Method::Head ? wire::ReplyTo::head : wire::ReplyTo::request,
                          head);

  detail::String text;
  wire::write_request_head(text, request.method(), request.url().raw_path(), request.headers());
  if (upload_ != nullptr)
    upload_->start(socket(), std::move(text), timeout_.write);
  else
    socket().write(std::move(text), request.shared_body(), timeout_.write, start_);
}

/// The response is there: what is not sent by now never will be.
void Exchange::stop_sending() {
  cut_short_ = socket().writing() || (upload_ != nullptr && !upload_->complete());
  if (cut_short_) socket().stop_writing();
  upload_.reset();
}

void Exchange::report_informational() {
  const auto& observer = request_->informational_observer();
  if (observer) observer({head_->status, head_->reason, head_->headers});
}

Exchange::Event Exchange::poll() {
  if (error_) return Event::failed;
  if (pool_->closed()) return fail(ErrorKind::client_closed, "the client was closed");
  Event event = reader().next(input_);
  if (event == Event::need_more && input_status_ != net::SocketStatus::ok) {
    if (input_status_ != net::SocketStatus::end) return fail_reading();
    event = reader().end_of_stream();
    if (event == Event::end && socket().truncated())
      return fail(ErrorKind::remote_protocol_error,
                  "the connection ended without close_notify: the body may have been cut short");
  }
  switch (event) {
    case Event::head:
      head_done_ = true;
      stop_sending();
      break;
    case Event::body:
      body_bytes_ += body().size();
      break;
    case Event::end:
      end();
      break;
    case Event::failed:
      return fail(ErrorKind::remote_protocol_error, std::string(reader().failure()));
    case Event::need_more:
      drop_input();  // used up; the buffer goes back before the next one is waited for
      break;
    case Event::informational:
      report_informational();
      if (upload_ != nullptr && head_->status == 100) upload_->proceed();
      break;
  }
  return event;
}

void Exchange::supply(net::ReadOutcome outcome) {
  input_status_ = outcome.status;
  if (outcome.status != net::SocketStatus::ok) return;
  if (outcome.discarded_bytes != 0) {
    reader().skip_body(outcome.discarded_bytes);
    body_bytes_ += outcome.discarded_bytes;
    bytes_received_ += outcome.discarded_bytes;
    return;
  }
  input_lease_ = std::move(outcome.lease);
  input_ = input_lease_.bytes();
  bytes_received_ += input_.size();
}

void Exchange::end() {
  trailers_ = reader().trailers();
  bool keep = reusable();
  drop_input();
  keep ? slot_.release() : slot_.drop();
}

bool Exchange::reusable() {
  bool quiet = input_.empty() && !socket().stirred();  // bytes behind the response belong to nobody
  bool sent = !cut_short_ && !socket().writing() && socket().write_error() == 0;
  return reader().keep_alive() && quiet && sent && !asked_to_close_;
}

void Exchange::drop_input() {
  input_lease_.drop();
  socket().input_used_up();
}

net::Socket::ReadAwaiter Exchange::discard() {
  std::uint64_t bytes = input_.empty() ? reader().plain_body_bytes() : 0;
  bool worthwhile = bytes >= kSmallestDiscardBytes && socket().can_discard();
  return worthwhile ? socket().discard(bytes, timeout_.read) : socket().read(timeout_.read);
}

Exchange::Event Exchange::fail_reading() {
  if (pool_->closed()) return fail(ErrorKind::client_closed, "the client was closed");
  if (upload_ != nullptr && upload_->failed()) return fail_upload();
  if (input_status_ == net::SocketStatus::failed)
    return fail(ErrorKind::read_error, "reading failed: " + socket().failure_text());
  if (socket().writing())
    return fail(ErrorKind::write_timeout, "the server did not take the request in time");
  return fail(ErrorKind::read_timeout, head_done_ ? "the body stopped coming" : "no response came in time");
}

Exchange::Event Exchange::fail(ErrorKind kind, std::string message, std::string library_code) {
  Phase phase = head_done_ ? Phase::body : Phase::head;
  Error::Facts facts(kind, phase, std::move(message));
  facts.request = describe(*request_);
  bool connected =
      slot_ && slot_.connection().socket != nullptr;  // not when it has ended or its shard has gone
  if (connected) add_facts(facts);
  if (!library_code.empty()) facts.library_code = std::move(library_code);
  error_ = Error(std::move(facts));
  upload_.reset();
  input_lease_.drop();
  slot_.drop();
  return Event::failed;
}

void Exchange::abandon() {
  upload_.reset();
  input_lease_.drop();
  reader_waits() ? socket().abort() : slot_.drop();
}

bool Exchange::reader_waits() const {
  return slot_ && slot_.connected() && const_cast<Slot&>(slot_).connection().socket->has_reader();
}

/// The body could not be sent, by no fault of the peer's.
Exchange::Event Exchange::fail_upload() {
  thrown_ = upload_->thrown();
  std::optional<Error> fault = upload_->fault();
  fail(fault ? fault->kind() : ErrorKind::local_protocol_error,
       fault ? fault->facts().message : "the body's generator has thrown");
  Error::Facts facts = error_->facts();
  facts.phase = Phase::write;
  facts.system_code = fault ? fault->system_code() : 0;  // not that of the aborted socket
  facts.safe_to_retry = false;
  error_ = Error(std::move(facts));
  try {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
  } catch (const Error& error) {
    error_ = error;
    thrown_ = nullptr;
  } catch (...) {  // comes out of open() as it is
  }
  return Event::failed;
}

/// What the socket and the reader know of a failure.
void Exchange::add_facts(Error::Facts& facts) {
  if (!head_done_ && socket().writing()) facts.phase = Phase::write;
  facts.system_code = socket().write_error() != 0 ? socket().write_error() : socket().system_code();
  facts.library_code = reader().library_code();
  if (const net::TlsSession* tls = socket().tls(); tls != nullptr && facts.library_code.empty())
    facts.library_code = tls->failure().library_code;
  facts.peer = socket().peer();
  facts.bytes_sent = socket().bytes_sent() - sent_before_;
  facts.bytes_received = socket().bytes_received() - received_before_;
  facts.safe_to_retry = facts.bytes_sent == 0 && !socket().writing();
}

std::shared_ptr<const net::TlsFacts> Exchange::tls() const {
  const net::TlsSession* session = const_cast<Slot&>(slot_).connection().socket->tls();
  return session != nullptr ? session->facts() : nullptr;
}

Error Exchange::error() const {
  return *error_;
}

}  // namespace sluice::http
