#include "generation.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quoth {

void Generation::next(Answer<std::vector<Event>> answer) {
  std::unique_lock lock(mutex_);
  if (waiting_) {
    lock.unlock();
    answer({Fault(FaultCode::invalid_input, "The next events of this generation are waited for already."), {}});
    return;
  }
  waiting_ = std::move(answer);
  settle(std::move(lock));
}

void Generation::emit(Event event) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  if (event.kind == Event::Kind::tokens && !events_.empty() && events_.back().kind == Event::Kind::tokens) {
    Event& last = events_.back();
    last.ids.insert(last.ids.end(), event.ids.begin(), event.ids.end());
    std::move(event.scores.begin(), event.scores.end(), std::back_inserter(last.scores));
  } else {
    events_.push_back(std::move(event));
  }
  settle(std::move(lock));
}

void Generation::end() {
  std::unique_lock lock(mutex_);
  ended_ = true;
  settle(std::move(lock));
}

void Generation::fail(const Fault& fault) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  ended_ = true;
  fault_ = fault;
  settle(std::move(lock));
}

void Generation::settle(std::unique_lock<std::mutex> lock) {
  if (!waiting_ || (events_.empty() && !ended_)) return;
  Outcome<std::vector<Event>> outcome;
  if (!events_.empty()) {
    outcome.value = std::exchange(events_, {});
  } else if (fault_) {
    outcome.fault = std::exchange(fault_, std::nullopt);
  }
  const auto answer = std::exchange(waiting_, nullptr);
  lock.unlock();
  answer(std::move(outcome));
}

}  // namespace quoth
