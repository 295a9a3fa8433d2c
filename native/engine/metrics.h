// How the last requests went.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quoth {

// As `Spread` in native/index.ts; zeros when there is nothing yet.
struct Spread {
  double mean = 0;
  double p50 = 0;
  double p95 = 0;
};

// The values may be in any order. Percentiles are values that occurred: the least that so many are not above.
Spread spread_of(std::vector<double> values);

// The last 256 generations that ended by themselves.
class RecentRequests {
 public:
  struct Request {
    double ttft_ms = 0;     // from submission to the first token
    double latency_ms = 0;  // to the last
    int32_t num_output = 0;
  };

  void add(const Request& request);
  Spread ttft_ms() const;
  Spread latency_ms() const;
  // Between two tokens, of those with more than one.
  Spread token_ms() const;

 private:
  std::vector<Request> requests_;
  size_t oldest_ = 0;
};

}  // namespace quoth
