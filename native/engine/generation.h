// What a generation has to tell, waiting until it is asked: the end of a queue that JavaScript pulls at.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "../fault.h"
#include "sampler.h"

namespace quoth {

// The answer to something asked: a value or a fault. Called once, on any thread; it must not block.
template <typename T>
struct Outcome {
  std::optional<Fault> fault;
  T value{};
};
template <typename T>
using Answer = std::function<void(Outcome<T>)>;

// As `GenerateEvent` in native/index.ts.
struct Event {
  enum class Kind { started, tokens, finished };
  Kind kind = Kind::started;
  int32_t num_prompt_tokens = 0;
  int32_t num_cached_tokens = 0;
  std::vector<int32_t> ids;
  std::vector<TokenScore> scores;  // of the ids, when they were asked for; else empty
  bool stopped = false;            // finished: by a stop id; else by its length
  int32_t num_output_tokens = 0;
  double ttft_ms = 0;
  double decode_ms = 0;
};

class Generation {
 public:
  // Answers with the events since the last call, once there are any; with none when the generation is over or
  // cancelled. One call at a time: a second one fails with invalid_input.
  void next(Answer<std::vector<Event>> answer);

  // The engine's side, on its thread or on a caller's.
  void emit(Event event);
  void end();                     // nothing more will come
  void fail(const Fault& fault);  // told once by `next`, after the events before it

 private:
  // Answers the caller that waits, if there is something to say. Unlocks before it answers.
  void settle(std::unique_lock<std::mutex> lock);

  std::mutex mutex_;
  std::vector<Event> events_;
  bool ended_ = false;
  std::optional<Fault> fault_;
  Answer<std::vector<Event>> waiting_;
};

}  // namespace quoth
