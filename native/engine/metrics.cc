#include "metrics.h"

#include <algorithm>

namespace quoth {
namespace {

constexpr size_t kMaxRequests = 256;

}  // namespace

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += value;
  const size_t count = values.size();
  return {sum / static_cast<double>(count), values[(count + 1) / 2 - 1], values[(count * 95 + 99) / 100 - 1]};
}

void RecentRequests::add(const Request& request) {
  if (requests_.size() < kMaxRequests) {
    requests_.push_back(request);
    return;
  }
  requests_[oldest_] = request;
  oldest_ = (oldest_ + 1) % kMaxRequests;
}

Spread RecentRequests::ttft_ms() const {
  std::vector<double> values;
  for (const Request& request : requests_) values.push_back(request.ttft_ms);
  return spread_of(std::move(values));
}

Spread RecentRequests::latency_ms() const {
  std::vector<double> values;
  for (const Request& request : requests_) values.push_back(request.latency_ms);
  return spread_of(std::move(values));
}

Spread RecentRequests::token_ms() const {
  std::vector<double> values;
  for (const Request& request : requests_) {
    if (request.num_output > 1) values.push_back((request.latency_ms - request.ttft_ms) / (request.num_output - 1));
  }
  return spread_of(std::move(values));
}

}  // namespace quoth
