// SPDX-License-Identifier: MIT
// Bodies on their way out: every kind, at every pace, and what happens when one side gives up.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/combinators.hpp>
#include <sluice/generator.hpp>

#include "tests/server/server_thread.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

/// A request as it came, the chunked coding taken off.
struct Uploaded {
  ReceivedRequest request;
  std::vector<std::size_t> chunks;
  bool whole = false;
};

Uploaded read_upload(PeerConnection& connection) {
  Uploaded upload;
  upload.request.head = connection.read_head();
  if (upload.request.field("transfer-encoding") != "chunked") {
    std::string length = upload.request.field("content-length");
    std::size_t size = length == "-" ? 0 : std::stoull(length);
    upload.request.body = connection.read(size);
    upload.whole = !upload.request.head.empty() && upload.request.body.size() == size;
    return upload;
  }
  for (;;) {
    std::string line;
    while (!line.ends_with("\r\n")) {
      std::string byte = connection.read(1);
      if (byte.empty()) return upload;
      line += byte;
    }
    std::size_t size = std::stoull(line, nullptr, 16);
    std::string data = connection.read(size);
    if (data.size() < size || connection.read(2) != "\r\n") return upload;
    if (size == 0) break;
    upload.chunks.push_back(size);
    upload.request.body += data;
  }
  upload.whole = true;
  return upload;
}

Generator<Chunk> giving(std::vector<std::string> pieces) {
  for (const std::string& piece : pieces) co_yield Chunk(piece);
}

/// Counts what lives, so that tests see when a generator's frame is destroyed.
struct Life {
  explicit Life(int& its_count) : count(&its_count) { ++*count; }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  ~Life() { --*count; }
  int* count;
};

Generator<Chunk> one_then_never(int& alive) {
  Life life(alive);
  co_yield Chunk("first");
  co_await sleep_for(std::chrono::hours(1));
}

class UploadTest : public ShardTest {
 protected:
  UploadTest() {
    std::string path = "/tmp/sluice-upload-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = path;
  }
  ~UploadTest() override { std::filesystem::remove_all(folder_); }

  std::string write_file(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
    return folder_ + "/" + name;
  }
  /// The file's pages leave the page cache, so that it has to be read again.
  static void forget_cached(const std::string& path) {
    net::Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(fdatasync(fd.number()), 0);
    ASSERT_EQ(posix_fadvise(fd.number(), 0, 0, POSIX_FADV_DONTNEED), 0);
  }

  Peer::Script noting() {
    return [this](PeerConnection& connection) {
      for (;;) {
        Uploaded upload = read_upload(connection);
        bool whole = upload.whole && !upload.request.head.empty();
        if (!upload.request.head.empty()) {
          std::lock_guard lock(mutex_);
          last_ = std::move(upload);
        }
        if (!whole || !connection.send(ok_response())) return;
      }
    };
  }
  Uploaded last() {
    std::lock_guard lock(mutex_);
    return last_;
  }
  /// Sends and gives what has arrived.
  Uploaded sent(RequestBuilder builder) {
    auto response = run(std::move(builder).as_result());
    EXPECT_TRUE(response) << response.error().what();
    return last();
  }
  /// After a failure: nothing is left, and the peer did not take what came for a whole request.
  void expect_cut(AsyncClient& client) {
    EXPECT_EQ(client.pool_stats().connections, 0U);
    expect_sockets(0);
  }

  std::string folder_;
  std::mutex mutex_;
  Uploaded last_;
};

// ---- what is sent

TEST_F(UploadTest, Json) {
  Peer peer(noting());
  AsyncClient client(shard());
  Uploaded upload = sent(client.post(peer.url()).json(R"({"a":1})"));
  EXPECT_EQ(upload.request.body, R"({"a":1})");
  EXPECT_EQ(upload.request.field("content-type"), "application/json");
  upload = sent(client.post(peer.url()).header("content-type", "application/problem+json").json("{}"));
  EXPECT_EQ(upload.request.field("content-type"), "application/problem+json");
  EXPECT_EQ(client.build_request(Method::Post, peer.url()).json("[]").body(), "[]");
}

TEST_F(UploadTest, Form) {
  Peer peer(noting());
  AsyncClient client(shard());
  Uploaded upload =
      sent(client.post(peer.url()).form_field("a", "1 2").form_field("b", "\xC3\xA4&=+%41\r\n~*"));
  EXPECT_EQ(upload.request.body, "a=1+2&b=%C3%A4%26%3D%2B%2541%0D%0A~%2A");
  EXPECT_EQ(upload.request.field("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(upload.request.field("content-length"), std::to_string(upload.request.body.size()));
}

TEST_F(UploadTest, CopiesOfARequestHaveTheirOwnForm) {
  Peer peer(noting());
  AsyncClient client(shard());
  Request first = client.build_request(Method::Post, peer.url()).form_field("a", "1");
  Request second = first;
  second.form_field("b", "2");
  EXPECT_EQ(sent(client.send(first)).request.body, "a=1");
  EXPECT_EQ(sent(client.send(second)).request.body, "a=1&b=2");
  EXPECT_EQ(sent(client.send(first)).request.body, "a=1");
}

TEST_F(UploadTest, TheLastBodyCounts) {
  Peer peer(noting());
  AsyncClient client(shard());
  Uploaded upload = sent(client.post(peer.url()).form_field("a", "1").body(giving({"x"})).content("bytes"));
  EXPECT_EQ(upload.request.body, "bytes");
  EXPECT_EQ(upload.request.field("content-type"), "-");
  EXPECT_EQ(upload.request.field("transfer-encoding"), "-");
}

TEST_F(UploadTest, GeneratorInChunks) {
  Peer peer(noting());
  AsyncClient client(shard());
  Uploaded upload = sent(client.put(peer.url()).body(giving({"block-0", "b", patterned_bytes(300'000)})));
  EXPECT_TRUE(upload.request.body == "block-0b" + patterned_bytes(300'000));
  EXPECT_EQ(upload.chunks, (std::vector<std::size_t>{7, 1, 300'000}));
  EXPECT_EQ(upload.request.field("transfer-encoding"), "chunked");
  EXPECT_EQ(upload.request.field("content-length"), "-");
  EXPECT_EQ(client.pool_stats().idle, 1U);
  sent(client.put(peer.url()).body(giving({"again"})));
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(UploadTest, EmptyChunksDoNotEndTheBody) {
  Peer peer(noting());
  AsyncClient client(shard());
  EXPECT_EQ(sent(client.put(peer.url()).body(giving({"", "a", "", "", "b", ""}))).request.body, "ab");
  EXPECT_EQ(sent(client.put(peer.url()).body(giving({"", "a", "", "b", ""}), 2)).request.body, "ab");
}

TEST_F(UploadTest, GeneratorThatGivesNothing) {
  Peer peer(noting());
  AsyncClient client(shard());
  Uploaded upload = sent(client.put(peer.url()).body(giving({})));
  EXPECT_TRUE(upload.whole);
  EXPECT_EQ(upload.request.field("transfer-encoding"), "chunked");
  upload = sent(client.get(peer.url()).body(giving({""}), 0));
  EXPECT_EQ(upload.request.field("content-length"), "0");
  EXPECT_EQ(client.pool_stats().idle, 1U);
}

TEST_F(UploadTest, GeneratorWithAStatedLength) {
  Peer peer(noting());
  AsyncClient client(shard());
  Uploaded upload = sent(client.put(peer.url()).body(giving({"abc", "def"}), 6));
  EXPECT_EQ(upload.request.field("content-length"), "6");
  EXPECT_EQ(upload.request.field("transfer-encoding"), "-");
  EXPECT_EQ(upload.request.body, "abcdef");
  upload = sent(client.put(peer.url()).header("Content-Length", "6").body(giving({"abc", "def"})));
  EXPECT_EQ(upload.request.field("content-length"), "6");
  EXPECT_EQ(upload.request.field("transfer-encoding"), "-");
  EXPECT_EQ(client.pool_stats().idle, 1U);
}

TEST_F(UploadTest, ChunksOfAResponseAreSentFromTheirBuffers) {
  Peer source(Peer::answering(ok_response(patterned_bytes(1'000'000))));
  Peer peer(noting());
  AsyncClient client(shard());
  auto relay = [](AsyncClient& from, std::string url) -> Generator<Chunk> {
    auto response = co_await from.stream(Method::Get, url);
    auto pieces = response.iter_raw();
    while (auto chunk = co_await pieces.next()) co_yield *std::move(chunk);
  };
  Uploaded upload = sent(client.put(peer.url()).body(relay(client, source.url())));
  EXPECT_TRUE(upload.request.body == patterned_bytes(1'000'000));
  expect_quiet(client);
}

TEST_F(UploadTest, OurOriginEchoesEveryKind) {
  ServerThread origin;
  AsyncClient client(shard());
  std::string text = patterned_bytes(700'000), path = write_file("file", text);
  const std::string url = origin.url("/echo");
  auto echoed = [&](RequestBuilder request) {
    auto response = run(std::move(request).as_result());
    EXPECT_TRUE(response) << response.error().what();
    return std::string(response->content());
  };
  EXPECT_TRUE(echoed(client.post(url).content(text)) == text);
  EXPECT_TRUE(echoed(client.post(url).file(path)) == text);
  EXPECT_TRUE(echoed(client.post(url).body(giving({text, "x", text}))) == text + "x" + text);
  EXPECT_TRUE(echoed(client.post(url).body(giving({text}), text.size())) == text);
  EXPECT_EQ(echoed(client.post(url).form_field("a", "b")), "a=b");
  EXPECT_EQ(echoed(client.post(url).content("x").expect_continue()), "x");
  EXPECT_EQ(client.pool_stats().opened, 1U);
}

// ---- recorded requests of HTTPX

TEST_F(UploadTest, RecordedRequests) {
  const std::map<std::string, std::function<Request(Request)>> inputs = {
      {"content str", [](Request r) { return std::move(r).content("h\xC3\xA9"); }},
      {"none", [](Request r) { return r; }},
      {"data empty", [](Request r) { return r; }},
      {"json scalar", [](Request r) { return std::move(r).json("\"x\""); }},
      {"generator",
       [](Request r) {
         return std::move(r).body(giving({"a", "bc"}));
       }},
      {"multipart headers",
       [](Request r) {
         return std::move(r)
             .header("content-type", "multipart/form-data; boundary=\"q q\"")
             .form_file("f", FormFile::of_bytes("c").filename("a\"b\\\r\n.bin").header("X-H", "1"));
       }},
      {"multipart list",
       [](Request r) {
         return std::move(r)
             .header("content-type", "multipart/form-data; boundary=B")
             .form_file("f", FormFile::of_bytes("1").filename("1.json"))
             .form_file("f", FormFile::of_bytes("2").filename("2.html").content_type("text/plain"));
       }},
  };
  Peer peer(noting());
  AsyncClient client(shard());
  std::ifstream file(SLUICE_TEST_DATA_DIR "/request_bodies.json");
  std::size_t rows = 0;
  for (const auto& row : nlohmann::json::parse(file)) {
    std::string name = row["name"];
    SCOPED_TRACE(name);
    ASSERT_TRUE(inputs.contains(name));
    ++rows;
    Request request = inputs.at(name)(Request::post(peer.url()).header("Host", "h"));
    auto response = run(client.send(std::move(request)).as_result());
    ASSERT_TRUE(response) << response.error().what();
    std::string head = "POST / HTTP/1.1\r\n";
    for (const auto& field : row["headers"])
      head += std::string(field[0]) + ": " + std::string(field[1]) + "\r\n";
    EXPECT_EQ(last().request.head, head + "\r\n");
    std::string body;  // recorded as one character for each byte
    for (char32_t c : std::filesystem::u8path(std::string(row["body"])).u32string())
      body += static_cast<char>(c);
    EXPECT_EQ(last().request.body, body);
  }
  EXPECT_EQ(rows, inputs.size());
}

// ---- files

TEST_F(UploadTest, FilesOfAllSizes) {
  Peer peer(noting());
  AsyncClient client(shard());
  for (std::size_t size : {0U, 1U, 4096U, 131'072U, 131'073U, 524'288U, 524'289U, 20'000'000U}) {
    SCOPED_TRACE(size);
    std::string path = write_file("file", patterned_bytes(size));
    for (bool cached : {true, false}) {
      if (!cached) forget_cached(path);
      Uploaded upload = sent(client.put(peer.url()).file(path));
      EXPECT_TRUE(upload.request.body == patterned_bytes(size));
      EXPECT_EQ(upload.request.field("content-length"), std::to_string(size));
      EXPECT_EQ(upload.request.field("content-type"), "-");
    }
  }
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(UploadTest, FileOverAUnixSocket) {
  std::string name = "@sluice-upload-" + std::to_string(getpid());
  Peer peer(noting(), *net::Address::unix_socket(name));
  AsyncClient client(shard(), ClientOptions().unix_socket(name));
  std::string path = write_file("file", patterned_bytes(3'000'000));
  EXPECT_TRUE(sent(client.put("http://host/").file(path)).request.body == patterned_bytes(3'000'000));
}

TEST_F(UploadTest, ARequestWithAFileCanBeSentAgain) {
  Peer peer(noting());
  AsyncClient client(shard());
  Request request = client.build_request(Method::Put, peer.url()).file(write_file("file", "one"));
  EXPECT_TRUE(request.replayable());
  EXPECT_EQ(sent(client.send(request)).request.body, "one");
  write_file("file", "longer");
  EXPECT_EQ(sent(client.send(request)).request.body, "longer");
}

TEST_F(UploadTest, WhatIsNoFile) {
  Peer peer(noting());
  AsyncClient client(shard());
  std::string fifo = folder_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::pair<std::string, int> cases[] = {
      {folder_ + "/missing", ENOENT}, {folder_, EISDIR}, {fifo, ESPIPE}, {"/dev/null", ESPIPE}, {"", ENOENT}};
  for (const auto& [path, code] : cases) {
    SCOPED_TRACE(path);
    auto response = run(client.put(peer.url()).file(path).as_result());
    EXPECT_EQ(outcome_of(response), "SystemError in setup");
    EXPECT_EQ(response.error().system_code(), code);
    EXPECT_TRUE(response.error().safe_to_retry());
    EXPECT_EQ(response.error().facts().request, "PUT " + peer.url());
    auto form = run(client.put(peer.url()).form_file("f", FormFile::of_path(path)).as_result());
    EXPECT_EQ(outcome_of(form), "SystemError in setup");
  }
  EXPECT_EQ(peer.connections(), 0);
}

TEST_F(UploadTest, FileThatBecomesShorter) {
  Gate head_read, shortened;
  std::atomic<std::size_t> arrived{0};
  Peer peer([&](PeerConnection& connection) {
    connection.shrink_receive_buffer(256 * 1024);
    connection.read_head();
    head_read.open();
    shortened.wait();
    arrived = connection.read(50'000'000).size();
  });
  AsyncClient client(shard());
  std::string path = write_file("file", patterned_bytes(50'000'000));
  std::thread shortening([&] {
    head_read.wait();
    ASSERT_EQ(truncate(path.c_str(), 1000), 0);
    shortened.open();
  });
  auto response = run(client.put(peer.url()).file(path).as_result());
  shortening.join();
  EXPECT_EQ(outcome_of(response), "LocalProtocolError in write");
  EXPECT_FALSE(response.error().safe_to_retry());
  expect_cut(client);
  peer.stop();
  EXPECT_LT(arrived, 50'000'000U);
}

TEST_F(UploadTest, FileThatBecomesLongerIsSentAsItWas) {
  Peer peer(noting());
  AsyncClient client(shard());
  std::string path = write_file("file", patterned_bytes(5'000'000));
  std::atomic<bool> done{false};
  std::thread growing([&] {
    std::ofstream file(path, std::ios::binary | std::ios::app);
    while (!done) file << "more" << std::flush;
  });
  Uploaded upload = sent(client.put(peer.url()).file(path));
  done = true;
  growing.join();
  EXPECT_TRUE(upload.request.body.starts_with(patterned_bytes(5'000'000)));
  EXPECT_EQ(upload.request.field("content-length"), std::to_string(upload.request.body.size()));
  EXPECT_EQ(client.pool_stats().idle, 1U);
}

TEST_F(UploadTest, PeerGoneWhileAFileIsSentRaisesNoSignal) {
  // sendfile(2) on a broken connection would end the process by SIGPIPE.
  Peer peer([](PeerConnection& connection) {
    connection.read(10'000);
    connection.reset();
  });
  AsyncClient client(shard());
  std::string path = write_file("file", patterned_bytes(30'000'000));
  for (int i = 0; i < 20; ++i) {
    auto response = run(client.put(peer.url()).file(path).as_result());
    ASSERT_FALSE(response);
    EXPECT_TRUE(response.error().is_transport_error()) << response.error().what();
    expect_cut(client);
  }
}

// ---- multipart forms

TEST_F(UploadTest, MultipartWithFiles) {
  Peer peer(noting());
  AsyncClient client(shard());
  std::string text = write_file("notes.TXT", "from disk"), packed = write_file("a.tar.gz", "packed");
  Uploaded upload = sent(client.post(peer.url())
                             .header("Content-Type", "multipart/form-data; x=y; Boundary=B ; z")
                             .form_file("first", FormFile::of_path(text))
                             .form_field("na\"me", "value")
                             .form_file("second", FormFile::of_path(packed).content_type("x/y"))
                             .form_file("third", FormFile::of_bytes("plain").filename("")));
  EXPECT_EQ(upload.request.body,
            "--B\r\nContent-Disposition: form-data; name=\"na%22me\"\r\n\r\nvalue\r\n"
            "--B\r\nContent-Disposition: form-data; name=\"first\"; filename=\"notes.TXT\"\r\n"
            "Content-Type: text/plain\r\n\r\nfrom disk\r\n"
            "--B\r\nContent-Disposition: form-data; name=\"second\"; filename=\"a.tar.gz\"\r\n"
            "Content-Type: x/y\r\n\r\npacked\r\n"
            "--B\r\nContent-Disposition: form-data; name=\"third\"\r\n\r\nplain\r\n--B--\r\n");
  EXPECT_EQ(upload.request.field("content-length"), std::to_string(upload.request.body.size()));
  EXPECT_EQ(upload.request.field("content-type"), "multipart/form-data; x=y; Boundary=B ; z");
}

TEST_F(UploadTest, MultipartChoosesARandomBoundary) {
  Peer peer(noting());
  AsyncClient client(shard());
  Request request = client.build_request(Method::Post, peer.url()).form_file("f", FormFile::of_bytes("x"));
  std::string first = sent(client.send(request)).request.field("content-type");
  ASSERT_TRUE(first.starts_with("multipart/form-data; boundary="));
  std::string boundary = first.substr(first.find('=') + 1);
  EXPECT_EQ(boundary.size(), 32U);
  EXPECT_EQ(boundary.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_TRUE(last().request.body.starts_with("--" + boundary + "\r\n"));
  EXPECT_NE(sent(client.send(request)).request.field("content-type"), first);
}

TEST_F(UploadTest, MultipartThatMustNotBeSent) {
  Peer peer(noting());
  AsyncClient client(shard());
  for (std::string_view type :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"; x=y"}) {
    auto response = run(client.post(peer.url())
                            .header("Content-Type", type)
                            .form_file("f", FormFile::of_bytes("x"))
                            .as_result());
    EXPECT_EQ(outcome_of(response), "LocalProtocolError in setup") << type;
  }
  for (const FormFile& file :
       {FormFile::of_bytes("x").content_type("a\r\nb: c"), FormFile::of_bytes("x").header("a\r\nb", "c"),
        FormFile::of_bytes("x").header("a", "b\nc")}) {
    auto response = run(client.post(peer.url()).form_file("f", file).as_result());
    EXPECT_EQ(outcome_of(response), "LocalProtocolError in setup");
  }
  EXPECT_EQ(peer.connections(), 0);
}

// ---- generators at their own pace

TEST_F(UploadTest, TheTimeOfAGeneratorIsNotThePeersFault) {
  Peer peer(noting());
  AsyncClient client(shard());
  auto slow = []() -> Generator<Chunk> {
    for (int i = 0; i < 3; ++i) {
      co_await sleep_for(60ms);
      co_yield Chunk("x");
    }
    co_await sleep_for(60ms);
  };
  Uploaded upload = sent(client.put(peer.url()).body(slow()).timeout({.read = 20ms, .write = 20ms}));
  EXPECT_EQ(upload.request.body, "xxx");
}

TEST_F(UploadTest, TheReadTimeoutStartsAfterTheUpload) {
  Peer peer([](PeerConnection& connection) {
    read_upload(connection);
    connection.ending.wait();
  });
  AsyncClient client(shard());
  TimePoint start = Clock::now();
  auto pausing = []() -> Generator<Chunk> {
    co_yield Chunk("x");
    co_await sleep_for(50ms);
  };
  auto response = run(client.put(peer.url()).body(pausing()).timeout({.read = 30ms}).as_result());
  EXPECT_EQ(outcome_of(response), "ReadTimeout in head");
  EXPECT_GE(Clock::now() - start, 80ms);
  response = run(client.put(peer.url()).file(write_file("f", "bytes")).timeout({.read = 30ms}).as_result());
  EXPECT_EQ(outcome_of(response), "ReadTimeout in head");
}

TEST_F(UploadTest, WriteTimeoutWhenThePeerDoesNotRead) {
  Peer peer([](PeerConnection& connection) {
    connection.shrink_receive_buffer();
    connection.ending.wait();
  });
  AsyncClient client(shard());
  auto endless = []() -> Generator<Chunk> {
    const std::string block = patterned_bytes(100'000);
    for (;;) co_yield Chunk(block);
  };
  std::string path = write_file("file", patterned_bytes(30'000'000));
  for (bool from_file : {false, true}) {
    auto request = client.put(peer.url()).timeout({.write = 40ms});
    from_file ? request.file(path) : request.body(endless());
    auto response = run(std::move(request).as_result());
    EXPECT_EQ(outcome_of(response), "WriteTimeout in write");
    expect_cut(client);
  }
}

TEST_F(UploadTest, AGeneratorIsAskedOnlyAsTheSocketDrains) {
  constexpr std::size_t kBlock = 64 * 1024;
  Gate reading;
  std::atomic<std::size_t> arrived{0};
  Peer peer([&](PeerConnection& connection) {
    connection.shrink_receive_buffer(256 * 1024);
    reading.wait();
    arrived = read_upload(connection).request.body.size();
    connection.send(ok_response());
  });
  AsyncClient client(shard());
  std::size_t given = 0;
  auto counting = [](std::size_t& count) -> Generator<Chunk> {
    const std::string block = patterned_bytes(kBlock);
    for (; count < 2000; ++count) co_yield Chunk(block);
  };
  run([&]() -> Task<void> {
    Background upload(client.put(peer.url()).body(counting(given)).timeout(kNoTimeout).as_result());
    std::size_t before = 0;
    do {  // until it stands still
      before = given;
      co_await sleep_for(100ms);
    } while (given != before || given == 0);
    EXPECT_LT(given * kBlock, 16'000'000U);  // what kernels keep for a socket
    EXPECT_LE(shard().stats().leases_out, 0U);
    reading.open();
    EXPECT_TRUE(co_await upload.wait());
    EXPECT_TRUE(upload.take());
  });
  EXPECT_EQ(arrived, 2000 * kBlock);
}

// ---- bodies that must not be sent

TEST_F(UploadTest, AGeneratorIsSentOnce) {
  Peer peer(noting());
  AsyncClient client(shard());
  Request request = client.build_request(Method::Put, peer.url()).body(giving({"once"}));
  EXPECT_FALSE(request.replayable());
  Request copy = request;
  EXPECT_EQ(sent(client.send(copy)).request.body, "once");
  for (const Request& again : {request, copy}) {
    auto response = run(client.send(again).as_result());
    EXPECT_EQ(outcome_of(response), "StreamConsumed in setup");
    EXPECT_TRUE(client.pool_stats().idle == 1);
  }
  EXPECT_TRUE(Request::get(peer.url()).replayable());
  EXPECT_TRUE(Request::post(peer.url()).form_field("a", "b").replayable());
}

TEST_F(UploadTest, StatedLengthThatIsNotTrue) {
  std::vector<bool> whole;
  Peer peer([&](PeerConnection& connection) {
    bool is_whole = read_upload(connection).whole;
    std::lock_guard lock(mutex_);
    whole.push_back(is_whole);
  });
  AsyncClient client(shard());
  const std::pair<std::vector<std::string>, std::uint64_t> cases[] = {
      {{"abc"}, 4}, {{}, 1}, {{"abc", "de"}, 4}, {{"abcde"}, 4}, {{"abcd", "e"}, 4}, {{"a"}, 0}};
  for (const auto& [pieces, length] : cases) {
    SCOPED_TRACE(length);
    for (bool in_header : {false, true}) {
      auto request = client.put(peer.url());
      if (in_header)
        request.header("Content-Length", std::to_string(length)).body(giving(pieces));
      else
        request.body(giving(pieces), length);
      auto response = run(std::move(request).as_result());
      EXPECT_EQ(outcome_of(response), "LocalProtocolError in write");
      EXPECT_EQ(response.error().system_code(), 0);
      expect_cut(client);
    }
  }
  peer.stop();
  EXPECT_EQ(std::count(whole.begin(), whole.end(), true), 0);
}

TEST_F(UploadTest, FramingFieldsThatContradictTheBody) {
  Peer peer(noting());
  AsyncClient client(shard());
  std::string path = write_file("file", "12345");
  auto refused = [&](RequestBuilder request) { return outcome_of(run(std::move(request).as_result())); };
  auto put = [&] { return client.put(peer.url()); };
  const std::string local = "LocalProtocolError in setup";
  EXPECT_EQ(refused(put().header("Content-Length", "4").file(path)), local);
  EXPECT_EQ(refused(put().header("Transfer-Encoding", "chunked").file(path)), local);
  EXPECT_EQ(refused(put().header("Content-Length", "4").body(giving({"a"}), 1)), local);
  EXPECT_EQ(refused(put().header("Content-Length", "x").body(giving({"a"}))), local);
  EXPECT_EQ(refused(put().header("Transfer-Encoding", "gzip").body(giving({"a"}))), local);
  EXPECT_EQ(refused(put().header("Content-Length", "99").form_field("a", "b")), local);
  EXPECT_EQ(peer.connections(), 0);
  EXPECT_EQ(sent(put().header("transfer-encoding", "chunked").body(giving({"a"}))).request.body, "a");
}

TEST_F(UploadTest, WhatAGeneratorThrowsReachesTheCaller) {
  Peer peer(noting());
  AsyncClient client(shard());
  auto throwing = [](int after) -> Generator<Chunk> {
    for (int i = 0; i < after; ++i) co_yield Chunk("x");
    co_await yield();
    throw std::runtime_error("no more blocks");
  };
  for (int after : {0, 1, 3}) {
    EXPECT_THROW((void)run(client.put(peer.url()).body(throwing(after)).as_result()), std::runtime_error);
    expect_cut(client);
    EXPECT_THROW(run([&]() -> Task<void> { co_await client.put(peer.url()).body(throwing(after)); }),
                 std::runtime_error);
    expect_cut(client);
  }
  EXPECT_FALSE(last().whole);
  // An Error is the request's error.
  auto failing = []() -> Generator<Chunk> {
    co_yield Chunk("x");
    throw ReadTimeout(Error(ErrorKind::read_timeout, Phase::body, "the source is slow"));
  };
  EXPECT_EQ(outcome_of(run(client.put(peer.url()).body(failing()).as_result())), "ReadTimeout in body");
  EXPECT_THROW(run([&]() -> Task<void> { co_await client.put(peer.url()).body(failing()); }), ReadTimeout);
  expect_cut(client);
}

// ---- responses before the end of the request

TEST_F(UploadTest, AFinalResponseEndsTheUpload) {
  Peer peer([](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nstop");
    connection.read_to_end();
  });
  AsyncClient client(shard());
  int alive = 0;
  auto response = run(client.put(peer.url()).body(one_then_never(alive)).as_result());
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->status(), 403);
  EXPECT_EQ(response->content(), "stop");
  EXPECT_EQ(alive, 0);
  expect_cut(client);
}

TEST_F(UploadTest, TheGeneratorIsGoneWhenAStreamedResponseBegins) {
  Gate more;
  std::string behind_head;
  Peer peer([&](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour");
    more.wait();
    connection.send("more");
    behind_head = connection.read_to_end();
  });
  AsyncClient client(shard());
  int alive = 0;
  run([&]() -> Task<void> {
    auto response = co_await client.stream(Method::Put, peer.url()).body(one_then_never(alive));
    EXPECT_EQ(alive, 0);
    more.open();
    std::string body;
    auto pieces = response.iter_raw();
    while (auto chunk = co_await pieces.next()) body += chunk->view();
    EXPECT_EQ(body, "fourmore");
  });
  expect_cut(client);
  peer.stop();
  EXPECT_TRUE(behind_head.empty() || behind_head == "5\r\nfirst\r\n") << behind_head;
}

TEST_F(UploadTest, AFinalResponseStopsASendThatIsUnderWay) {
  // The peer's window is closed while it answers; afterwards it reads what was on its way, and no more.
  Gate read_on;
  std::atomic<std::size_t> arrived{0};
  Peer peer([&](PeerConnection& connection) {
    connection.shrink_receive_buffer();
    connection.read_head();
    connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\nstop");
    read_on.wait();
    connection.send("here");
    arrived = connection.read_to_end().size();
  });
  AsyncClient client(shard());
  std::string path = write_file("file", patterned_bytes(30'000'000));
  auto endless = []() -> Generator<Chunk> {
    const std::string block = patterned_bytes(5'000'000);
    for (;;) co_yield Chunk(block);
  };
  run([&]() -> Task<void> {
    for (int kind : {0, 1, 2}) {
      auto request = client.stream(Method::Put, peer.url());
      if (kind == 0) request.file(path);
      if (kind == 1) request.body(endless());
      if (kind == 2) request.content(patterned_bytes(30'000'000));
      auto response = co_await std::move(request);
      co_await sleep_for(5ms);
      read_on.open();
      std::string body;
      auto pieces = response.iter_raw();
      while (auto chunk = co_await pieces.next()) body += chunk->view();
      EXPECT_EQ(body, "stophere");
    }
  });
  expect_cut(client);
  peer.stop();
  EXPECT_LT(arrived, 16'000'000U);
}

// ---- Expect: 100-continue

class ExpectContinueTest : public UploadTest {
 protected:
  /// Answers the head first, then reads the rest.
  Peer::Script answering_head(std::string first, std::string second = "") {
    return [this, first, second](PeerConnection& connection) {
      std::string head = connection.read_head();
      connection.send(first);
      std::string rest = second.empty() ? connection.read_to_end() : connection.read(5);
      connection.send(second);
      std::lock_guard lock(mutex_);
      last_.request.head = head;
      last_.request.body = rest;
    };
  }
  static constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";
};

TEST_F(ExpectContinueTest, TheBodyFollowsTheServersWord) {
  for (int kind : {0, 1, 2}) {
    Peer peer(answering_head("HTTP/1.1 103 Early Hints\r\n\r\n"s + kContinue, ok_response("thanks")));
    AsyncClient client(shard());
    auto request = client.put(peer.url()).expect_continue(kNoTimeout);
    if (kind == 0) request.content("bytes");
    if (kind == 1) request.file(write_file("file", "bytes"));
    if (kind == 2) request.body(giving({"by", "tes"}), 5);
    auto response = run(std::move(request).as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->content(), "thanks");
    peer.stop();
    EXPECT_EQ(last().request.field("expect"), "100-continue");
    EXPECT_EQ(last().request.body, "bytes");
  }
}

TEST_F(ExpectContinueTest, OtherInformationalResponsesAreNotTheWord) {
  Peer peer(answering_head("HTTP/1.1 103 Early Hints\r\n\r\n", ok_response()));
  AsyncClient client(shard());
  TimePoint start = Clock::now();
  EXPECT_TRUE(run(client.put(peer.url()).content("bytes").expect_continue(50ms).as_result()));
  EXPECT_GE(Clock::now() - start, 50ms);
}

TEST_F(ExpectContinueTest, AFinalResponseKeepsTheBodyAtHome) {
  for (std::string status : {"417 Expectation Failed", "401 Unauthorized", "200 OK"}) {
    Peer peer(answering_head("HTTP/1.1 " + status + "\r\nContent-Length: 2\r\n\r\nno"));
    AsyncClient client(shard());
    int alive = 0;
    auto response =
        run(client.put(peer.url()).body(one_then_never(alive)).expect_continue(kNoTimeout).as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->content(), "no");
    EXPECT_EQ(alive, 0);
    expect_cut(client);
    peer.stop();
    EXPECT_EQ(last().request.body, "");
  }
}

TEST_F(ExpectContinueTest, AfterAWhileTheBodyIsSentAnyway) {
  Peer peer(noting());
  AsyncClient client(shard());
  TimePoint start = Clock::now();
  Uploaded upload =
      sent(client.put(peer.url()).content("bytes").expect_continue(40ms).timeout({.read = 20ms}));
  EXPECT_EQ(upload.request.body, "bytes");
  EXPECT_GE(Clock::now() - start, 40ms);
  EXPECT_EQ(client.pool_stats().idle, 1U);
}

TEST_F(ExpectContinueTest, WithoutABodyThereIsNothingToExpect) {
  Peer peer(noting());
  AsyncClient client(shard());
  EXPECT_EQ(sent(client.get(peer.url()).expect_continue(kNoTimeout)).request.field("expect"), "-");
  EXPECT_EQ(sent(client.post(peer.url()).expect_continue(kNoTimeout)).request.field("expect"), "-");
}

// ---- every point of giving up

class GivingUpTest : public UploadTest {
 protected:
  using Fill = std::function<void(RequestBuilder&)>;
  std::vector<Fill> fills() {
    std::string path = write_file("file", patterned_bytes(700'000));
    return {
        [](RequestBuilder& r) {
          r.body(giving({"a", "", "bc"}));
        },
        [](RequestBuilder& r) {
          r.body(giving({"a", "bc"}), 3);
        },
        [](RequestBuilder& r) {
          auto sleeping = []() -> Generator<Chunk> {
            co_await yield();
            co_yield Chunk("a");
            co_await sleep_for(1ms);
            co_yield Chunk("b");
          };
          r.body(sleeping());
        },
        [path](RequestBuilder& r) { r.file(path); },
        [path](RequestBuilder& r) { r.form_file("f", FormFile::of_path(path)).form_field("a", "b"); },
        [](RequestBuilder& r) { r.content("bytes").expect_continue(1ms); },
    };
  }
};

TEST_F(GivingUpTest, CancelledAtEverySuspension) {
  Peer peer(noting());
  AsyncClient client(shard());
  for (const Fill& fill : fills()) {
    for (int turns = 0;; ++turns) {
      bool finished = run([&]() -> Task<bool> {
        auto request = client.put(peer.url());
        fill(request);
        Background upload(std::move(request).as_result());
        for (int i = 0; i < turns && !upload.done(); ++i) co_await sleep_for(100us);
        co_return upload.done();
      });
      expect_quiet(client);
      if (finished) break;
      ASSERT_LT(turns, 10'000);
    }
    for (int turns = 0;; ++turns) {
      bool finished = run([&]() -> Task<bool> {
        auto request = client.put(peer.url());
        fill(request);
        Background upload(std::move(request).as_result());
        for (int i = 0; i < turns && !upload.done(); ++i) co_await yield();
        co_return upload.done();
      });
      expect_quiet(client);
      if (finished || turns > 60) break;
    }
  }
}

TEST_F(GivingUpTest, PeerGoneAfterEveryByte) {
  std::atomic<std::size_t> wanted{0};
  std::atomic<bool> reset{false};
  Peer peer([&](PeerConnection& connection) {
    connection.read(wanted);
    if (reset) connection.reset();
  });
  AsyncClient client(shard());
  for (const Fill& fill : fills()) {
    for (bool by_reset : {false, true}) {
      reset = by_reset;
      std::uint64_t most_sent = 1;
      // The head takes about 130 bytes; once a request has been read whole, its peer would wait for more.
      for (std::size_t count = 0; count < 300 && (count < 100 || count <= most_sent);
           count += count < 120 ? 13 : 1) {
        wanted = count;
        auto request = client.put(peer.url()).timeout(kPatience);
        fill(request);
        auto response = run(std::move(request).as_result());
        ASSERT_FALSE(response);
        EXPECT_TRUE(response.error().is_transport_error()) << response.error().what();
        EXPECT_FALSE(response.error().safe_to_retry() && response.error().facts().bytes_sent != 0);
        most_sent = std::max(most_sent, response.error().facts().bytes_sent);
        expect_quiet(client);
      }
    }
  }
}

TEST_F(GivingUpTest, ClientClosedDuringAnUpload) {
  Peer peer(Peer::silent());
  int alive = 0;
  run([&]() -> Task<void> {
    AsyncClient client(shard());
    Background upload(client.put(peer.url()).body(one_then_never(alive)).as_result());
    while (alive == 0) co_await sleep_for(1ms);
    client.close();
    EXPECT_TRUE(co_await upload.wait());
    EXPECT_EQ(upload.take().error().kind(), ErrorKind::client_closed);
    EXPECT_EQ(alive, 0);
  });
  expect_sockets(0);
}

TEST_F(GivingUpTest, ARequestThatIsNeverSentFreesItsGenerator) {
  int alive = 0;
  {
    Request request = Request::put("http://nowhere/").body(one_then_never(alive));
    Request copy = request;
  }
  EXPECT_EQ(alive, 0);
  AsyncClient client(shard());
  EXPECT_FALSE(run(client.put("nonsense").body(one_then_never(alive)).as_result()));
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace sluice
