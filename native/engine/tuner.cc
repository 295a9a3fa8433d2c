#include "tuner.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "../fault.h"

namespace quoth {
namespace {

// A slice: what a request may have to wait for.
constexpr double kSliceMs = 4;
// A way that is not faster by so much is not taken: two measurements of the same differ by about that.
constexpr double kLeastGain = 0.03;
// One that is slower by so much at the first look is not looked at again.
constexpr double kHopeless = 1.25;
constexpr int32_t kRounds = 3;  // in turns, the least counts
constexpr size_t kMaxTasks = 4096;

constexpr double kNever = std::numeric_limits<double>::infinity();

bool is_same_shape(const Tunable& a, const Tunable& b) {
  return a.type == b.type && a.num_rows == b.num_rows && a.num_columns == b.num_columns && a.is_gated == b.is_gated &&
         a.num_kv_heads == b.num_kv_heads && a.num_pages == b.num_pages;
}

// How often a step has about so many rows: one person's answer above all, then whole chunks of prompts.
double weight_of(RowRange rows) {
  if (rows.most == 1) return 8;
  if (rows.most <= 8) return 1;
  if (rows.most >= 512) return 2;
  if (rows.most >= 128) return 1;
  return 0.5;
}

}  // namespace

std::vector<RowRange> row_ranges(int32_t most_rows) {
  // Steps of a half and a third: a tile that is best for the most of a range is not much too large for its least.
  constexpr int32_t kEnds[] = {1,   2,   4,   8,   16,  24,   32,   48,   64,   96,  128,
                               192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096};
  std::vector<RowRange> ranges;
  int32_t least = 1;
  for (const int32_t end : kEnds) {
    if (least > most_rows) break;
    ranges.push_back({least, std::min(end, most_rows)});
    least = end + 1;
  }
  return ranges;
}

Tuner::Tuner(TuningBench& bench, std::vector<Tunable> tunables, const std::vector<TunedWay>& known, double budget_ms,
             NowMs now_ms)
    : bench_(bench), now_ms_(std::move(now_ms)), budget_ms_(budget_ms) {
  for (const Tunable& of : tunables) {
    for (const RowRange& rows : row_ranges(of.most_rows)) {
      if (tasks_.size() >= kMaxTasks) break;
      const int32_t num_ways = bench_.count_ways(of, rows.most);
      if (num_ways < 1) continue;
      ++report_.num_tasks;
      const auto found = std::find_if(known.begin(), known.end(), [&](const TunedWay& one) {
        return is_same_shape(one.of, of) && one.least_rows == rows.least && one.most_rows == rows.most &&
               one.way >= kOwnWay && one.way < num_ways;
      });
      if (found != known.end() && take_over(*found, of)) continue;
      // Few rows read the weights, many multiply by them: both grow with their number.
      tasks_.push_back({of, rows, weight_of(rows) * static_cast<double>(of.size_bytes)});
    }
  }
  std::stable_sort(tasks_.begin(), tasks_.end(), [](const Task& a, const Task& b) { return a.worth > b.worth; });
  report_.state = report_.num_tasks == 0 ? TuningReport::State::nothing
                  : tasks_.empty()       ? TuningReport::State::tuned
                                         : TuningReport::State::tuning;
  tell();
}

// False where the device knows better: a file may say anything.
bool Tuner::take_over(TunedWay way, const Tunable& of) {
  way.of = of;
  found_.push_back(way);
  try {
    bench_.choose(way);
  } catch (const Fault&) {
    found_.pop_back();
    return false;
  }
  ++report_.num_known;
  return true;
}

bool Tuner::step() {
  if (is_done()) return false;
  const double start = now_ms_();
  try {
    measure();
  } catch (...) {
    report_.state = TuningReport::State::stopped;
    try {
      report_.reason = current_fault().what();
    } catch (...) {  // no memory for a sentence
    }
    return true;
  }
  report_.spent_ms += now_ms_() - start;
  if (next_ == tasks_.size()) {
    report_.state = TuningReport::State::tuned;
  } else if (report_.spent_ms >= budget_ms_) {
    report_.state = TuningReport::State::stopped;
  }
  return true;
}

// The next measurement of the next task.
void Tuner::measure() {
  const Task& task = tasks_[next_];
  if (num_ways_ < 0) return begin(task);
  if (way_ < num_ways_) {
    const double ms = timed(task, way_);
    if (ms < best_ms_) best_ = way_, best_ms_ = ms;
    ++way_;
    if (way_ == num_ways_ && (best_ == kOwnWay || best_ms_ > kHopeless * own_ms_)) {
      end(task, kOwnWay, own_ms_, own_ms_);
    }
    return;
  }
  if (compare(task)) return;
  const bool is_faster = best_ms_ < (1 - kLeastGain) * own_ms_;
  end(task, is_faster ? best_ : kOwnWay, is_faster ? best_ms_ : own_ms_, own_ms_);
}

// The device's own way, first once to see how many weights fit into a slice.
void Tuner::begin(const Task& task) {
  const double ms = bench_.time(task.of, task.rows.most, kOwnWay, 1).value_or(kNever);
  ++report_.num_timings;
  const double fitting = kSliceMs / std::max(ms, 1e-4);
  num_calls_ = static_cast<int32_t>(std::clamp<double>(fitting, 1, task.of.num_layers));
  own_ms_ = timed(task, kOwnWay);
  num_ways_ = bench_.count_ways(task.of, task.rows.most);
  way_ = round_ = 0;
  best_ = kOwnWay;
  best_ms_ = kNever;
  if (num_ways_ < 1 || own_ms_ == kNever) end(task, kOwnWay, own_ms_, own_ms_);
}

// The best one and the device's own in turns. False when that is done, and when the best one gives other bits.
bool Tuner::compare(const Task& task) {
  if (round_ == 2 * kRounds) return false;
  if (round_ == 0) {
    const std::vector<float> own = bench_.sample(task.of, task.rows.most, kOwnWay);
    const std::vector<float> other = bench_.sample(task.of, task.rows.most, best_);
    if (own.empty() || other.empty()) {  // what it takes is not free any more
      own_ms_ = kNever;
      return false;
    }
    if (own.size() != other.size() || std::memcmp(own.data(), other.data(), own.size() * sizeof(float)) != 0) {
      best_ms_ = kNever;  // it must not be: better slow than another answer
      round_ = 2 * kRounds;
      return true;
    }
    // Only these count: the first looks were taken one after another, and a GPU's clocks move.
    own_ms_ = best_ms_ = kNever;
  }
  const bool is_own = round_ % 2 == 0;
  double& least = is_own ? own_ms_ : best_ms_;
  least = std::min(least, timed(task, is_own ? kOwnWay : best_));
  ++round_;
  return true;
}

void Tuner::end(const Task& task, int32_t way, double ms, double own_ms) {
  if (std::isfinite(own_ms)) {  // else there was no room for it now: perhaps the next time
    const TunedWay found{task.of, task.rows.least, task.rows.most, way, ms, own_ms};
    bench_.choose(found);
    found_.push_back(found);
    ++num_news_;
  }
  ++next_;
  num_ways_ = -1;
  tell();
}

double Tuner::timed(const Task& task, int32_t way) {
  ++report_.num_timings;
  return bench_.time(task.of, task.rows.most, way, num_calls_).value_or(kNever);
}

void Tuner::tell() {
  report_.num_measured = static_cast<int32_t>(found_.size());
  report_.num_changed = 0;
  double own = 0, now = 0;
  for (const TunedWay& one : found_) {
    if (one.way != kOwnWay) ++report_.num_changed;
    own += one.own_ms * one.of.num_layers;
    now += one.ms * one.of.num_layers;
  }
  report_.gain = own > 0 ? 1 - now / own : 0;
}

}  // namespace quoth
