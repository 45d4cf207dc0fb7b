// SPDX-License-Identifier: MIT
// libcurl at its best: multi interface, socket actions on epoll, easy handles and connections reused, each
// body kept in memory.
//
//   curl_multi URL [-c 64] [-d 3] [--bulk] [--buffer-size 16384] [--compressed]
//
// --bulk only counts the bytes of bodies, as they come. --compressed has their content coding undone.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/common/command_line.hpp"
#include "bench/common/meter.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kDefaultBufferBytes = 16 << 10;  // libcurl's own

struct Options {
  bench::Load load;
  unsigned buffer_size_bytes;
  bool bulk, compressed;
};

struct Transfer {
  std::unique_ptr<CURL, void (*)(CURL*)> easy{curl_easy_init(), curl_easy_cleanup};
  std::string body;
};

class Client {
 public:
  explicit Client(const Options& options) : options_(options), transfers_(options.load.connections) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, socket_changed);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, timer_changed);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options.load.connections));
    for (Transfer& transfer : transfers_) start_first(transfer);
  }

  ~Client() {
    for (Transfer& transfer : transfers_) curl_multi_remove_handle(multi_, transfer.easy.get());
    transfers_.clear();
    curl_multi_cleanup(multi_);
    close(epoll_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void run_for(double seconds) {
    auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
      wait();
      collect();
    }
  }

  bench::Counters counters() const { return {.requests = replies_, .bytes = bytes_}; }

 private:
  void start_first(Transfer& transfer) {
    CURL* easy = transfer.easy.get();
    curl_easy_setopt(easy, CURLOPT_URL, options_.load.url.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    set_consumer(transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, socket_closed);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
    curl_multi_add_handle(multi_, easy);
  }

  void set_consumer(Transfer& transfer) {
    CURL* easy = transfer.easy.get();
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, static_cast<long>(options_.buffer_size_bytes));
    if (options_.compressed) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    if (options_.bulk) {
      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count);
      curl_easy_setopt(easy, CURLOPT_WRITEDATA, &bytes_);
    } else {
      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, append);
      curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer.body);
    }
  }

  void wait() {
    epoll_event events[64];
    int count = epoll_wait(epoll_, events, 64, milliseconds_left());
    if (count < 0 && errno != EINTR) throw std::runtime_error("epoll_wait failed");
    int running = 0;
    for (int i = 0; i < count; ++i) {
      auto ready = events[i].events;
      int action = (ready & EPOLLIN ? CURL_CSELECT_IN : 0) | (ready & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (ready & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
      curl_multi_socket_action(multi_, events[i].data.fd, action, &running);
    }
    if (!timer_set_ || Clock::now() < timer_) return;
    timer_set_ = false;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }

  int milliseconds_left() const {
    constexpr int kMost = 100;  // so that run_for() sees its end when nothing happens
    if (!timer_set_) return kMost;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(timer_ - Clock::now()).count();
    return static_cast<int>(std::clamp<long>(left, 0, kMost));
  }

  void collect() {
    int queued = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &queued)) {
      if (message->msg != CURLMSG_DONE) continue;
      if (message->data.result != CURLE_OK)
        throw std::runtime_error(curl_easy_strerror(message->data.result));
      finish(message->easy_handle);
    }
  }

  void finish(CURL* easy) {
    Transfer* transfer = nullptr;
    long head = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &head);
    bytes_ += static_cast<std::uint64_t>(head) + transfer->body.size();
    ++replies_;
    transfer->body.clear();
    curl_multi_remove_handle(multi_, easy);
    curl_multi_add_handle(multi_, easy);
  }

  static std::size_t count(char*, std::size_t size, std::size_t items, void* bytes) {
    *static_cast<std::uint64_t*>(bytes) += size * items;
    return size * items;
  }

  static std::size_t append(char* data, std::size_t size, std::size_t count, void* body) {
    static_cast<std::string*>(body)->append(data, size * count);
    return size * count;
  }

  // libcurl takes a socket away at the end of each transfer and gives it back at the next one. Leaving it in
  // the epoll set meanwhile saves two system calls for each request.
  static int socket_changed(CURL*, curl_socket_t fd, int what, void* self, void*) {
    if (what == CURL_POLL_REMOVE) return 0;
    std::uint32_t wanted = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    static_cast<Client*>(self)->watch(fd, wanted);
    return 0;
  }

  void watch(int fd, std::uint32_t wanted) {
    auto index = static_cast<std::size_t>(fd);
    if (watched_.size() <= index) watched_.resize(index + 1);
    if (watched_[index] == wanted) return;
    epoll_event event{.events = wanted, .data = {.fd = fd}};
    if (epoll_ctl(epoll_, watched_[index] == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) < 0)
      throw std::runtime_error("epoll_ctl failed");
    watched_[index] = wanted;
  }

  static int socket_closed(void* self, curl_socket_t fd) {
    auto& watched = static_cast<Client*>(self)->watched_;
    if (static_cast<std::size_t>(fd) < watched.size()) watched[static_cast<std::size_t>(fd)] = 0;
    return close(fd);
  }

  static int timer_changed(CURLM*, long milliseconds, void* self) {
    auto* client = static_cast<Client*>(self);
    client->timer_set_ = milliseconds >= 0;
    if (client->timer_set_) client->timer_ = Clock::now() + std::chrono::milliseconds(milliseconds);
    return 0;
  }

  Options options_;
  CURLM* multi_ = curl_multi_init();
  std::vector<Transfer> transfers_;
  int epoll_;
  std::vector<std::uint32_t> watched_;  // the epoll events of each descriptor; 0: not in the set
  bool timer_set_ = false;
  Clock::time_point timer_;
  std::uint64_t replies_ = 0, bytes_ = 0;
};

void measure(bench::CommandLine& line) {
  Options options{};
  options.buffer_size_bytes = line.number("--buffer-size", kDefaultBufferBytes, 1024, CURL_MAX_READ_SIZE);
  options.bulk = line.flag("--bulk");
  options.compressed = line.flag("--compressed");
  options.load = bench::take_load(line);
  line.finish();
  curl_global_init(CURL_GLOBAL_DEFAULT);
  Client client(options);
  client.run_for(bench::kWarmUpSeconds);
  bench::Meter meter(client.counters());
  client.run_for(options.load.seconds);
  meter.report(client.counters());
}

}  // namespace

int main(int argc, char** argv) {
  return bench::guarded_main(argc, argv, measure);
}
