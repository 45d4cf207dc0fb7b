// SPDX-License-Identifier: MIT
#include "engine/client/client_core.hpp"

#include <algorithm>

#include "engine/client/request_body.hpp"
#include "engine/net/resolver.hpp"
#include "engine/wire/redirect.hpp"

namespace sluice::detail {
namespace {

// So much of a redirect's body is read to keep its connection.
constexpr std::uint64_t kSkippedBodyBytes = 64 * 1024;

Duration stated(Duration request, Duration client) {
  if (request != kDefaultTimeout) return request;
  return client != kDefaultTimeout ? client : std::chrono::seconds(5);
}

/// A request made by hand may lack Host; HTTP/1.1 demands it, first by custom (RFC 9110, 7.2).
void state_host(Request& request) {
  if (request.headers().contains("host")) return;
  Headers with_host;
  with_host.reserve(request.headers().size() + 1, 256);
  with_host.add("Host", request.url().netloc());
  for (Headers::Field field : request.headers()) with_host.add(field.name, field.value);
  request.headers() = std::move(with_host);
}

wire::ReaderLimits reader_limits(const ReceiveLimits& limits) {
  wire::ReaderLimits result;
  result.max_head_bytes = limits.max_head_bytes;
  result.max_header_count = limits.max_header_count;
  result.max_informational_responses = limits.max_informational_responses;
  return result;
}

}  // namespace

ClientCore::ClientCore(ring::Loop& loop, const ClientOptions& options)
    : options_(options),
      receive_budget_({options.receive_limits_.max_queued_bytes, options.receive_limits_.high_water_bytes,
                       options.receive_limits_.low_water_bytes}),
      pool_(loop, options.limits_, reader_limits(options.receive_limits_)),
      connector_(loop, receive_budget_, std::make_unique<net::HostsFileResolver>(), options.unix_socket_,
                 options.tls_.configuration_) {}

void ClientCore::close() {
  if (pool_.closed()) return connector_.abort();
  ring::Activation activation(pool_.loop());  // whom this wakes runs when the shard does
  pool_.close();
  connector_.abort();
}

// ---- what a request means

Request ClientCore::build(const ClientOptions& options, Method method, std::string_view url) {
  Result<Url> parsed = Url::parse(url);
  if (parsed && !parsed->is_absolute()) parsed = absolute(options.base_url_, *parsed);
  Request request(method, parsed ? *std::move(parsed) : Url());
  if (!parsed) {
    request.defect_ = parsed.error();
    return request;
  }
  Headers& headers = request.headers();
  headers.reserve(options.headers_.size() + 2, 256);
  if (!options.headers_.contains("host")) headers.add("Host", request.url().netloc());
  for (Headers::Field field : options.headers_) headers.add(field.name, field.value);
  return request;
}

/// HTTPX's rule: a relative URL is appended to the path of the base URL, whatever it begins with.
Result<Url> ClientCore::absolute(const Url& base, const Url& url) {
  if (url.is_absolute()) return url;
  if (!base.is_absolute() || !url.scheme().empty() || !url.raw_host().empty())
    return Error(ErrorKind::unsupported_protocol, Phase::setup,
                 "the URL lacks 'http://' or a host: '" + http::without_secrets(url) + "'");
  std::string joined(base.str());
  if (!joined.ends_with('/')) joined += '/';
  std::string_view rest = url.str();
  joined += rest.substr(rest.starts_with('/') ? 1 : 0);
  return Url::parse(joined);
}

Result<void> ClientCore::apply_parameters(Request& request) const {
  if (request.has_parameters_applied_) return {};
  if (request.parameters_.empty() && options_.parameters_.empty()) return {};
  String query;
  for (const auto& [name, value] : options_.parameters_) {
    auto replaces = [wanted = std::string_view(name)](const auto& parameter) {
      return std::string_view(parameter.first) == wanted;
    };
    if (std::none_of(request.parameters_.begin(), request.parameters_.end(), replaces))
      append_query_parameter(query, name, value);
  }
  for (const auto& [name, value] : request.parameters_) append_query_parameter(query, name, value);
  if (query.size() + request.url_.str().size() > Url::kMaxLength)
    return Error(ErrorKind::invalid_url, Phase::setup, "the URL is too long with its query parameters");
  request.url_ = request.url_.with_query(std::string_view(query));
  return {};
}

Result<std::unique_ptr<http::Upload>> ClientCore::complete(Request& request) const {
  if (request.defect_) return *request.defect_;
  if (!request.url_.is_absolute()) {
    auto url = absolute(options_.base_url_, request.url_);
    if (!url) return std::move(url).error();
    request.url_ = *std::move(url);
  }
  if (std::string_view scheme = request.url_.scheme(); scheme != "http" && scheme != "https")
    return Error(ErrorKind::unsupported_protocol, Phase::setup,
                 "the URL has the scheme '" + std::string(scheme) + "', not http or https");
  if (request.method() == Method("CONNECT"))
    return Error(ErrorKind::local_protocol_error, Phase::setup,
                 "CONNECT would make a tunnel, not a response");
  if (auto applied = apply_parameters(request); !applied) return std::move(applied).error();
  state_host(request);
  return prepare_body(request, request.body_, request.continue_wait_);
}

Timeout ClientCore::timeout_of(const Request& request) const {
  const Timeout& mine = request.timeout_;
  const Timeout& ours = options_.timeout_;
  return {stated(mine.connect, ours.connect), stated(mine.read, ours.read), stated(mine.write, ours.write),
          stated(mine.pool, ours.pool)};
}

// ---- sending

Task<Result<Response>> ClientCore::send(std::shared_ptr<ClientCore> core, Request request) {
  bool follows = core->follows(request);
  return follows ? follow(std::move(core), std::move(request), &send_once)
                 : send_once(std::move(core), std::move(request));
}

Task<Result<StreamingResponse>> ClientCore::stream(std::shared_ptr<ClientCore> core, Request request) {
  bool follows = core->follows(request);
  return follows ? follow(std::move(core), std::move(request), &stream_once)
                 : stream_once(std::move(core), std::move(request));
}

Task<Result<Response>> ClientCore::send_once(std::shared_ptr<ClientCore> core, Request request) {
  using Event = http::Exchange::Event;
  TimePoint start = Clock::now();
  auto completed = core->complete(request);
  if (!completed) co_return std::move(completed).error();
  std::unique_ptr<ResponseState, ResponseStateDeleter> state(
      new ResponseState(request.url(), core->options_.default_encoding_));
  http::Exchange exchange(core->pool_, core->connector_, core->timeout_of(request), start);
  exchange.carry(*std::move(completed));
  auto opened = co_await exchange.open(request, state->head);
  if (!opened) co_return std::move(opened).error();
  state->tls = exchange.tls();

  bool discards = request.discards_body_;
  ContentBuffer content(state->content, state->head.headers, core->options_.receive_limits_);
  if (!discards) content.expect(exchange.content_length().value_or(0));
  for (;;) {
    Event event = exchange.poll();
    std::optional<ContentFault> fault;
    if (event == Event::body && !discards) fault = content.append(exchange.body());
    if (event == Event::end && !discards) fault = content.finish();
    if (fault) event = exchange.fail(fault->kind, std::move(fault->message), std::move(fault->library_code));
    if (event == Event::failed) co_return exchange.error();
    if (event == Event::end) break;
    if (event == Event::need_more)
      exchange.supply(co_await (discards ? exchange.discard() : exchange.read()));
  }
  state->trailers = exchange.take_trailers();
  state->body_bytes = exchange.body_bytes();
  state->decoded_bytes = state->content.size();
  state->bytes_received = exchange.bytes_received();
  state->content_read = true;
  state->elapsed = core->pool_.loop().now() - start;
  note_redirect(*state, request);
  co_return Response(std::move(state));
}

Task<Result<StreamingResponse>> ClientCore::stream_once(std::shared_ptr<ClientCore> core, Request request) {
  auto completed = core->complete(request);
  if (!completed) co_return std::move(completed).error();
  http::Exchange exchange(core->pool_, core->connector_, core->timeout_of(request));
  exchange.carry(*std::move(completed));
  const ClientOptions& options = core->options_;
  auto stream = std::allocate_shared<StreamState>(RecyclingAllocator<StreamState>(), core, std::move(request),
                                                  std::move(exchange), options.default_encoding_,
                                                  options.receive_limits_, options.drain_);
  auto opened = co_await StreamState::open(stream);
  if (!opened) co_return std::move(opened).error();
  note_redirect(stream->response(), stream->request());
  co_return StreamingResponse(std::move(stream));
}

// ---- redirects

/// Leaves with a response what it asks for; what cannot be requested is left to the caller.
void ClientCore::note_redirect(ResponseState& response, const Request& request) {
  const wire::ResponseHead& head = response.head;
  if (!wire::has_redirect_location(head.status, head.headers)) return;
  auto target = wire::redirect(request.method(), request.url(), request.headers(), head.status, head.headers);
  if (!target) return;
  Request next = request;
  next.method_ = target->method;
  next.url_ = std::move(target->url);
  next.headers_ = std::move(target->headers);
  if (!target->keeps_body) next.body_ = {};
  next.has_parameters_applied_ = true;
  response.redirects = std::make_unique<Redirects>();
  response.redirects->next = std::move(next);
}

/// Makes the request that which a response asks for. Errors: too_many_redirects.
Result<void> ClientCore::turn_to_next(Request& request, const ResponseState& response,
                                      const std::vector<Response>& history) const {
  request = *std::exchange(response.redirects->next, std::nullopt);
  if (history.size() < options_.max_redirects_) return {};
  Error::Facts facts(ErrorKind::too_many_redirects, Phase::head, "Exceeded maximum allowed redirects.");
  facts.request = http::describe(request);
  return Error(std::move(facts));
}

namespace {

/// Gives the last response its history.
void end_redirects(ResponseState& response, std::vector<Response> history) {
  if (history.empty()) return;
  if (!response.redirects) response.redirects = std::make_unique<Redirects>();
  response.redirects->history = std::move(history);
}

bool asks_for_more(const ResponseState& response) {
  return response.redirects && response.redirects->next;
}

/// Throws the body of a redirect away if it is short, so that its connection can be used for the next
/// request.
Task<void> skip_body(StreamState::Pointer stream) {
  bool is_short = stream->bytes_left().value_or(0) <= kSkippedBodyBytes;
  while (is_short && !stream->closed() && stream->response().body_bytes <= kSkippedBodyBytes) {
    ring::Lease piece;
    if (stream->pull(piece) == Step::need_more) stream->supply(co_await stream->read_more());
  }
  stream->close_now();
}

}  // namespace

Task<Response> ClientCore::pass_by(Response response) {
  co_return response;
}

Task<Response> ClientCore::pass_by(StreamingResponse response) {
  co_await skip_body(response.stream_);
  std::unique_ptr<ResponseState, ResponseStateDeleter> kept(new ResponseState(std::move(*response.state_)));
  co_return Response(std::move(kept));
}

template <class AnyResponse>
Task<Result<AnyResponse>> ClientCore::follow(std::shared_ptr<ClientCore> core, Request request,
                                             SendOnce<AnyResponse> send) {
  std::vector<Response> history;
  for (;;) {
    Result<AnyResponse> response = co_await send(core, std::move(request));
    if (!response) co_return response;
    ResponseState& state = *response->state_;
    if (!asks_for_more(state)) {
      end_redirects(state, std::move(history));
      co_return response;
    }
    if (auto turned = core->turn_to_next(request, state, history); !turned)
      co_return std::move(turned).error();
    history.push_back(co_await pass_by(*std::move(response)));
  }
}

}  // namespace sluice::detail
