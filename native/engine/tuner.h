// Finds out which way of doing each linear is the fastest on this GPU, with the plan's own weights, while nobody waits.
//
// All ways of a linear give the same bits (Ops::count_ways), and before one is taken the tuner compares some of its
// rows with those of the device's own way: tuning changes times and no answer. Work comes in slices of some
// milliseconds, one measurement each: between two of them the engine looks for requests, so nobody waits for more than
// one slice, a first answer neither. It begins with what costs the most, and what it does not reach within its budget
// stays as the device does it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "../../kernels/ops.h"

namespace quoth {

// Weights of one type and shape, or attention over contexts of so many kv pages, of all layers together.
struct Tunable {
  Type type = Type::f32;    // of the weights, or of the pages
  int32_t num_rows = 0;     // N, or H
  int32_t num_columns = 0;  // K, or d
  bool is_gated = false;
  int32_t num_kv_heads = 0;  // G; 0: a linear
  int32_t num_pages = 0;     // a power of two
  int32_t most_rows = 0;     // rows of x that a step can have, or sequences with a row each
  int32_t num_layers = 0;    // that do it
  uint64_t size_bytes = 0;   // that all of them read, at least

  bool operator==(const Tunable&) const = default;
};

// What was found out for rows of x from `least_rows` to `most_rows`.
struct TunedWay {
  Tunable of;  // without what depends on a step's size
  int32_t least_rows = 0;
  int32_t most_rows = 0;
  int32_t way = kOwnWay;
  double ms = 0;  // of one call
  double own_ms = 0;
};

// What the tuner measures with: the device, or a test's.
struct TuningBench {
  virtual ~TuningBench() = default;
  // With so many rows.
  virtual int32_t count_ways(const Tunable& of, int32_t num_rows) = 0;
  // Milliseconds of one call: the mean over up to `num_calls` layers. Nothing where there is no such way, or no room
  // for it now. Throws Fault.
  virtual std::optional<double> time(const Tunable& of, int32_t num_rows, int32_t way, int32_t num_calls) = 0;
  // Some rows of a result; nothing where it cannot be had now.
  virtual std::vector<float> sample(const Tunable& of, int32_t num_rows, int32_t way) = 0;
  virtual void choose(const TunedWay& way) = 0;
};

struct TuningReport {
  enum class State {
    nothing,  // there is nothing to choose on this device
    off,      // the device's own ways: it was not asked for
    tuning,   // goes on when nobody asks for anything
    tuned,    // all that could be was measured, now or earlier
    stopped,  // the budget was used up, or `reason`: the rest stays as the device does it
  };
  State state = State::nothing;
  int32_t num_tasks = 0;     // shapes, times numbers of rows
  int32_t num_measured = 0;  // of them
  int32_t num_changed = 0;   // of them: another way is faster
  int32_t num_known = 0;     // of them: from the file
  int32_t num_timings = 0;   // in this process
  double spent_ms = 0;
  double gain = 0;  // of the time of all tasks that were measured, the part that is saved
  std::string reason;
};

// Rows from the first number to the second are measured with the second. Of one family of kernels each.
struct RowRange {
  int32_t least, most;
};
std::vector<RowRange> row_ranges(int32_t most_rows);

class Tuner {
 public:
  using NowMs = std::function<double()>;
  // known: from a file; they are taken over, if they are of the program. The bench must outlive the tuner.
  Tuner(TuningBench& bench, std::vector<Tunable> tunables, const std::vector<TunedWay>& known, double budget_ms,
        NowMs now_ms);

  // One measurement. False when there is nothing left to do. Never throws: what goes wrong ends the tuning.
  bool step();
  bool is_done() const { return report_.state != TuningReport::State::tuning; }
  const TuningReport& report() const { return report_; }
  // All that is known, also what was known before; for the file.
  const std::vector<TunedWay>& found() const { return found_; }
  // Whether there is more than the file had.
  bool has_news() const { return num_news_ > 0; }
  void forget_news() { num_news_ = 0; }

 private:
  struct Task {
    Tunable of;
    RowRange rows;
    double worth;
  };
  bool take_over(TunedWay way, const Tunable& of);
  void measure();
  void begin(const Task& task);
  bool compare(const Task& task);
  void end(const Task& task, int32_t way, double ms, double own_ms);
  double timed(const Task& task, int32_t way);
  void tell();

  TuningBench& bench_;
  NowMs now_ms_;
  double budget_ms_;
  std::vector<Task> tasks_;  // worth most first
  size_t next_ = 0;
  std::vector<TunedWay> found_;
  int32_t num_news_ = 0;
  TuningReport report_;

  // Of the task that is measured now:
  int32_t num_ways_ = -1;  // -1: not begun
  int32_t num_calls_ = 1;
  int32_t way_ = 0;  // the next one
  int32_t round_ = 0;
  int32_t best_ = kOwnWay;
  double best_ms_ = 0;
  double own_ms_ = 0;
};

}  // namespace quoth
