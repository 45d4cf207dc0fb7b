// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <sluice/chunk.hpp>
#include <sluice/detail/executor.hpp>
#include <sluice/result.hpp>
#include <sluice/task.hpp>

namespace sluice {

class StreamingResponse;

namespace detail {

/// Where the pieces of one iteration come from; it keeps what was brought until it is handed out.
template <class Piece>
class PieceSource;

/// What an iterator does with its source, out of line.
template <class Piece>
struct PieceSourceUse {
  /// Takes what has already arrived; whether there is a piece, an end or an error to take.
  static bool settle(PieceSource<Piece>& source);
  static Task<void> fill(PieceSource<Piece>& source);
  static Result<std::optional<Piece>> take(PieceSource<Piece>& source);
  void operator()(PieceSource<Piece>* source) const noexcept;
};
extern template struct PieceSourceUse<Chunk>;
extern template struct PieceSourceUse<std::string_view>;

}  // namespace detail

/// A body, piece by piece:
///
///     auto body = response.iter_bytes();
///     while (auto piece = co_await body.next()) ...
///
/// Move-only. One task uses it at a time; it must stay where it is while next() is awaited. It yields nothing
/// more once its response has been destroyed.
template <class Piece>
class [[nodiscard]] BodyIterator {
  using Use = detail::PieceSourceUse<Piece>;
  using Source = detail::PieceSource<Piece>;

  class ResultAwaiter {
   public:
    explicit ResultAwaiter(Source& source) noexcept : source_(&source) {}
    bool await_ready() const { return Use::settle(*source_); }
    template <detail::SluicePromise Parent>
    void await_suspend(std::coroutine_handle<Parent> parent) {
      filling_ = Use::fill(*source_);
      filling_.start(parent.promise());
    }
    Result<std::optional<Piece>> await_resume() {
      if (filling_) filling_.take();
      return Use::take(*source_);
    }

   private:
    Source* source_;
    Task<void> filling_;
  };

  class Awaiter : public ResultAwaiter {
   public:
    using ResultAwaiter::ResultAwaiter;
    std::optional<Piece> await_resume() { return std::move(ResultAwaiter::await_resume()).value(); }
  };

 public:
  class [[nodiscard]] AsResult {
   public:
    ResultAwaiter operator co_await() && { return ResultAwaiter(*source_); }

   private:
    friend class BodyIterator;
    explicit AsResult(Source& source) noexcept : source_(&source) {}
    Source* source_;
  };

  class [[nodiscard]] Next {
   public:
    Awaiter operator co_await() && { return Awaiter(*source_); }
    AsResult as_result() && { return AsResult(*source_); }

   private:
    friend class BodyIterator;
    explicit Next(Source& source) noexcept : source_(&source) {}
    Source* source_;
  };

  /// The next piece when it is awaited, never an empty one, or nothing at the end. Throws when the body is
  /// cut short, cannot be decoded, or the read timeout passes; `.as_result()` gives a Result instead.
  /// Cancelling it loses nothing. A Chunk that is kept keeps its receive buffer (see Chunk::to_owned());
  /// text is valid until the next call of next() and as long as the iterator.
  Next next() { return Next(*source_); }

 private:
  friend class StreamingResponse;
  explicit BodyIterator(Source* source) noexcept : source_(source) {}

  std::unique_ptr<Source, Use> source_;
};

}  // namespace sluice
