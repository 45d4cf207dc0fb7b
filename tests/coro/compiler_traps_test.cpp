// SPDX-License-Identifier: MIT
//
// What GCC 12 makes of the expressions around a co_await. Every way of writing that sluice's API relies on
// must give right results on each compiler: right values, and every object destroyed once and where it was
// made. The ways that GCC 12 gets wrong (temporaries of the expression that are aggregates or closures and
// not trivially copyable) are not run here; those that an API can refuse are refused, which the assertions
// and compile_fail/ check.
#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>
#include <sluice/generator.hpp>
#include <sluice/scope.hpp>
#include <sluice/task.hpp>
#include <sluice/time.hpp>

#include "tests/coro/live_count.hpp"
#include "tests/coro/test_loop.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::Counted;
using testing::TestLoop;

constexpr const char* kLong = "a text that does not fit into a string without an allocation";

/// A text that notices bitwise copies: of itself by Counted, of its short buffer by std::string's
/// self-pointer.
class Text : public Counted {
 public:
  Text(const char* text = "abc") : text_(text) {}  // NOLINT(google-explicit-constructor)
  int size() const { return static_cast<int>(text_.size()); }

 private:
  std::string text_;
};

struct Aggregate {
  Text first;
  Text second;
};
struct TrivialAggregate {
  int a = 0;
  long b = 0;
  std::chrono::milliseconds c{};
};
static_assert(std::is_trivially_copyable_v<TrivialAggregate> && std::is_aggregate_v<TrivialAggregate>);

/// Two texts with declared constructors; copies are implicit.
struct Constructed {
  Constructed(Text a, Text b) : first(std::move(a)), second(std::move(b)) {}
  Text first;
  Text second;
};
struct WithDestructor {
  WithDestructor(Text a, Text b) : first(std::move(a)), second(std::move(b)) {}
  WithDestructor(const WithDestructor&) = default;
  WithDestructor(WithDestructor&&) = default;
  ~WithDestructor() {}  // NOLINT: the case is a user-provided destructor
  Text first;
  Text second;
};
struct Header {
  Header(std::string_view n, std::string_view v) : name(n), value(v) {}
  std::string name;
  std::string value;
  Text text;
};

/// A request as users write it: a fluent builder that is awaited as an rvalue.
class Builder {
 public:
  explicit Builder(std::string_view url) : url_(url) {}
  Builder&& header(std::string_view name, std::string_view value) && {
    headers_.emplace_back(name, value);
    return std::move(*this);
  }
  Builder&& timeout(TrivialAggregate limits) && {
    limits_ = limits;
    return std::move(*this);
  }
  Builder&& body(std::string body) && {
    url_ += body;
    return std::move(*this);
  }

  class Awaiter {
   public:
    explicit Awaiter(Task<int> task)
        : task_(std::move(task)), awaiter_(std::move(task_).operator co_await()) {}
    bool await_ready() { return false; }
    template <detail::SluicePromise Parent>
    auto await_suspend(std::coroutine_handle<Parent> parent) {
      return awaiter_.await_suspend(parent);
    }
    int await_resume() { return awaiter_.await_resume(); }

   private:
    Task<int> task_;
    Task<int>::Awaiter awaiter_;
  };
  Awaiter operator co_await() && { return Awaiter(send(std::move(*this))); }

  static Task<int> send(Builder builder) {
    co_await yield();
    co_return static_cast<int>(builder.url_.size() + builder.headers_.size());
  }

 private:
  std::string url_;
  std::vector<Header> headers_;
  std::optional<TrivialAggregate> limits_;
  Text text_;
};

struct Client {
  Builder get(std::string_view url) { return Builder(url); }
  Task<int> send(Builder builder) { return Builder::send(std::move(builder)); }
  template <class... Options>
  Task<int> get_with(std::string url, Options... options) {
    co_await yield();
    co_return static_cast<int>(url.size() + sizeof...(options));
  }
};

// Each callee suspends, so that its parameters must survive in the frame.

Task<int> take_aggregate(Aggregate value) {
  co_await yield();
  co_return value.first.size();
}
Task<int> take_trivial(TrivialAggregate value) {
  co_await yield();
  co_return value.a;
}
Task<int> take_constructed(Constructed value) {
  co_await yield();
  co_return value.first.size();
}
Task<int> take_with_destructor(WithDestructor value) {
  co_await yield();
  co_return value.first.size();
}
Task<int> take_string(std::string value) {
  co_await yield();
  co_return static_cast<int>(value.size());
}
Task<int> take_string_reference(const std::string& value) {
  co_await yield();
  co_return static_cast<int>(value.size());
}
Task<int> take_vector(std::vector<Text> value) {
  co_await yield();
  co_return static_cast<int>(value.size());
}
Task<int> take_pair(std::pair<Text, Text> value) {
  co_await yield();
  co_return value.first.size();
}
Task<int> take_tuple(std::tuple<Text, Text, int> value) {
  co_await yield();
  co_return std::get<0>(value).size();
}
Task<int> take_optional(std::optional<Text> value) {
  co_await yield();
  co_return value->size();
}
Task<int> take_variant(std::variant<int, Text> value) {
  co_await yield();
  co_return static_cast<int>(value.index());
}
Task<int> take_pointer(std::unique_ptr<Text> value) {
  co_await yield();
  co_return value->size();
}
Task<int> take_array(std::array<Text, 2> value) {
  co_await yield();
  co_return value[0].size();
}
Task<int> take_function(std::function<int()> value) {
  co_await yield();
  co_return value();
}
Task<int> take_span(std::span<const Header> value) {
  co_await yield();
  co_return static_cast<int>(value.size());
}
template <class F>
Task<int> call(F function) {
  co_await yield();
  co_return co_await function();
}
Task<Text> make_text() {
  co_await yield();
  co_return Text("abc");
}
Task<Aggregate> make_aggregate() {
  co_await yield();
  Aggregate value{Text("abc"), Text("d")};
  co_return value;
}
Task<std::optional<Text>> make_some(int& left) {
  co_await yield();
  if (left-- > 0) co_return Text("abc");
  co_return std::nullopt;
}

class CompilerTrapsTest : public ::testing::Test {
 protected:
  CompilerTrapsTest() { Counted::live = Counted::misplaced = 0; }
  ~CompilerTrapsTest() override {
    EXPECT_EQ(Counted::live, 0);
    EXPECT_EQ(Counted::misplaced, 0);
  }
  TestLoop loop_;
};

/// A case is the body of a coroutine that gives an int.
#define SLUICE_TRAP(name, expected, ...)           \
  TEST_F(CompilerTrapsTest, name) {                \
    auto body = []() -> Task<int> { __VA_ARGS__ }; \
    EXPECT_EQ(loop_.run(body()), expected);        \
  }

// ---- arguments

SLUICE_TRAP(AggregateInAStatementOfItsOwn, 3, auto task = take_aggregate(Aggregate{Text("abc"), Text("d")});
            co_return co_await std::move(task);)
SLUICE_TRAP(AggregateNamedAndMoved, 3, Aggregate value{Text("abc"), Text("d")};
            co_return co_await take_aggregate(std::move(value));)
SLUICE_TRAP(
    AggregateFromAFunction, 3,
    auto make =
        [] {
          return Aggregate{Text("abc"), Text("d")};
        };
    co_return co_await take_aggregate(make());)
SLUICE_TRAP(TrivialAggregate, 3, co_return co_await take_trivial({.a = 3, .b = 4, .c = 5ms});)
SLUICE_TRAP(ClassWithConstructors, 3,
            co_return co_await take_constructed(Constructed(Text("abc"), Text("d")));)
SLUICE_TRAP(ClassWithConstructorsBraced, 3, co_return co_await take_constructed({Text("abc"), Text("d")});)
SLUICE_TRAP(ClassWithDestructor, 3,
            co_return co_await take_with_destructor(WithDestructor(Text("abc"), Text("d")));)
SLUICE_TRAP(StringOfAnExpression, 65, co_return co_await take_string("hello"s + kLong);)
SLUICE_TRAP(StringOfALiteral, 60, co_return co_await take_string(kLong);)
SLUICE_TRAP(ShortString, 2, co_return co_await take_string("ab");)
SLUICE_TRAP(StringByReference, 60, co_return co_await take_string_reference(kLong);)
SLUICE_TRAP(VectorOfASize, 3, co_return co_await take_vector(std::vector<Text>(3));)
SLUICE_TRAP(Pair, 3, co_return co_await take_pair(std::pair<Text, Text>(Text("abc"), Text("d")));)
SLUICE_TRAP(PairBraced, 3, co_return co_await take_pair({Text("abc"), Text("d")});)
SLUICE_TRAP(Tuple, 3, co_return co_await take_tuple(std::tuple<Text, Text, int>(Text("abc"), Text("d"), 1));)
SLUICE_TRAP(Optional, 3, co_return co_await take_optional(std::optional<Text>(Text("abc")));)
SLUICE_TRAP(OptionalOfAValue, 3, co_return co_await take_optional(Text("abc"));)
SLUICE_TRAP(Variant, 1, co_return co_await take_variant(std::variant<int, Text>(Text("abc")));)
SLUICE_TRAP(UniquePointer, 3, co_return co_await take_pointer(std::make_unique<Text>("abc"));)
SLUICE_TRAP(ArrayNamedAndMoved, 3, std::array<Text, 2> value{Text("abc"), Text("d")};
            co_return co_await take_array(std::move(value));)
SLUICE_TRAP(SpanOfANamedArray, 2, Header headers[] = {{"a", "b"}, {"c", "d"}};
            co_return co_await take_span(headers);)

// ---- callables

SLUICE_TRAP(
    FunctionNamedFirst, 4, Text text("abcd"); std::function<int()> function = [text] { return text.size(); };
    co_return co_await take_function(std::move(function));)
SLUICE_TRAP(LambdaWithReferences, 4, Text text("abcd");
            co_return co_await take_function([&text] { return text.size(); });)
SLUICE_TRAP(CoroutineLambdaWithReferences, 4, Text text("abcd");
            co_return co_await call([&text]() -> Task<int> { co_return text.size(); });)
SLUICE_TRAP(
    CoroutineLambdaNamedAndMoved, 4, Text text("abcd");
    auto lambda = [text]() -> Task<int> { co_return text.size(); };
    co_return co_await call(std::move(lambda));)
SLUICE_TRAP(LambdaWithAPointer, 4, Text text("abcd"); Text* pointer = &text;
            co_return co_await call([pointer]() -> Task<int> { co_return pointer->size(); });)
SLUICE_TRAP(LambdaWithAStringView, 4, std::string text = "abcd"; std::string_view view = text;
            co_return co_await call([view]() -> Task<int> { co_return static_cast<int>(view.size()); });)

// ---- builders

SLUICE_TRAP(BuilderGivenToAFunction, 10, Client client; co_return co_await client.send(
    client.get("http://x").header("a", "b").header("c", "d").timeout({.a = 3}));)
SLUICE_TRAP(BuilderAwaited, 70, Client client; co_return co_await client.get("http://x")
                                                   .header("a", "b")
                                                   .header("c", "d")
                                                   .timeout({.a = 3})
                                                   .body(kLong);)
SLUICE_TRAP(BuilderAwaitedAtOnce, 8, Client client; co_return co_await client.get("http://x");)
SLUICE_TRAP(AnyNumberOfOptions, 63, Client client;
            co_return co_await client.get_with(kLong, Header("a", "b"), Header("c", "d"), 5ms);)

// ---- results

SLUICE_TRAP(MemberOfAResult, 3, co_return (co_await make_text()).size();)
SLUICE_TRAP(AggregateAsAResult, 3, auto value = co_await make_aggregate(); co_return value.first.size();)
SLUICE_TRAP(ResultInAnIf, 3, int left = 1;
            if (auto text = co_await make_some(left); text) co_return text->size(); co_return 0;)
SLUICE_TRAP(ResultInAWhile, 9, int left = 3; int total = 0;
            while (auto text = co_await make_some(left)) total += text->size(); co_return total;)
SLUICE_TRAP(ResultInAFor, 9, int left = 3; int total = 0;
            for (; auto text = co_await make_some(left);) total += text->size(); co_return total;)
SLUICE_TRAP(TwoAwaitsInOneExpression, 65,
            co_return co_await take_string(kLong) + co_await take_string("hello");)
SLUICE_TRAP(AwaitInAnArgument, 60,
            co_return co_await take_string(std::string(static_cast<std::size_t>(co_await take_string(kLong)),
                                                       'x'));)
SLUICE_TRAP(AwaitInAConditional, 2, int left = 0;
            co_return (co_await make_some(left)) ? co_await take_string("long") : co_await take_string("ab");)
SLUICE_TRAP(
    ExceptionThroughParameters, 7,
    auto bad = [](Text text) -> Task<int> {
      co_await yield();
      if (text.size() > 0) throw std::runtime_error("x");
      co_return 0;
    };
    try { co_return co_await bad(Text("q")); } catch (const std::runtime_error&) { co_return 7; })

// ---- sluice's own functions, as users write them

SLUICE_TRAP(WhenAllOfBuilders, 18, Client client;
            auto both = co_await when_all(client.get("http://x").header("a", "b"),
                                          client.get("http://y").header("a", "b"));
            co_return std::get<0>(both) + std::get<1>(both);)
SLUICE_TRAP(WhenAnyOfABuilder, 0, Client client;
            co_return static_cast<int>((co_await when_any(client.get("http://x"), sleep_for(1s))).index());)
SLUICE_TRAP(WithTimeoutOfABuilder, 9, Client client;
            co_return co_await with_timeout(3s, client.get("http://x").header("a", "b"));)
SLUICE_TRAP(ScopeInPlace, 60, int result = 0; co_await scope([&](Scope& scope) -> Task<void> {
              auto child = [](std::string text, Text, int& out) -> Task<void> {
                out = co_await take_string(text);
              };
              scope.spawn(child, std::string(kLong), Text(), std::ref(result));
              co_return;
            });
            co_return result;)
SLUICE_TRAP(SpawnWithCaptures, 4, int result = 0; co_await scope([&](Scope& scope) -> Task<void> {
              Text text("abcd");
              scope.spawn([text, &result]() -> Task<void> {
                co_await yield();
                result = text.size();
              });
              co_return;
            });
            co_return result;)
SLUICE_TRAP(
    GeneratorOfTexts, 9,
    auto texts = [](Text text) -> Generator<Text> {
      for (int i = 0; i < 3; ++i) {
        co_await yield();
        co_yield text;
      }
    };
    auto generator = texts(Text("abc")); int total = 0;
    while (auto text = co_await generator.next()) total += text->size(); co_return total;)
SLUICE_TRAP(
    YieldOfATemporary, 3, auto texts = []() -> Generator<Text> { co_yield Text("abc"); };
    auto generator = texts(); co_return (co_await generator.next())->size();)

// ---- what must be refused

template <class F>
concept ScopeAccepts = requires(F&& body) {
  scope(std::forward<F>(body));
};

TEST(AwaitSafeCallableTest, RefusesTemporariesThatAreNotTriviallyCopyable) {
  auto text = std::make_shared<Text>();
  int number = 0;
  auto by_reference = [&](Scope&) -> Task<void> {
    ++number;
    co_return;
  };
  auto by_value = [text](Scope&) -> Task<void> { co_return; };
  static_assert(AwaitSafeCallable<decltype(by_reference)>);
  static_assert(!AwaitSafeCallable<decltype(by_value)>);
  static_assert(AwaitSafeCallable<decltype(by_value)&>);
  static_assert(!AwaitSafeCallable<std::function<void()>>);
  static_assert(ScopeAccepts<decltype(by_reference)>);
  static_assert(ScopeAccepts<decltype(by_value)&>);
  static_assert(!ScopeAccepts<decltype(by_value)>);
}

}  // namespace
}  // namespace sluice
