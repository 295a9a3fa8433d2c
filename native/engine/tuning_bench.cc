#include "tuning_bench.h"

#include <algorithm>
#include <cstring>

#include "../fault.h"

namespace quoth {
namespace {

// Of x; more rows hold what was there. Times hardly depend on the numbers.
constexpr size_t kNumbers = size_t{1} << 18;

}  // namespace

DeviceBench::DeviceBench(const OpenDevice& device, const Runner& runner) : device_(device.device), ops_(device.ops) {
  if (ops_->count_ways == nullptr || ops_->time_way == nullptr || ops_->choose_way == nullptr) return;
  for (const Runner::LinearUse& use : runner.linears()) {
    Tunable of;
    of.type = use.call.weight->type;
    of.num_rows = use.call.weight->num_rows;
    of.num_columns = use.call.weight->num_columns;
    of.is_gated = use.call.fusion.is_gated;
    of.most_rows = use.most_rows;
    auto found = std::find_if(groups_.begin(), groups_.end(), [&](const Group& one) {
      const Tunable& other = one.of;
      return other.type == of.type && other.num_rows == of.num_rows && other.num_columns == of.num_columns &&
             other.is_gated == of.is_gated && other.most_rows == of.most_rows;
    });
    if (found == groups_.end()) found = groups_.insert(groups_.end(), Group{of, {}});
    found->calls.push_back(use.call);
    Tunable& all = found->of;
    ++all.num_weights;
    const int64_t padded = (int64_t{of.num_rows} + kQuantRows - 1) / kQuantRows * kQuantRows;
    const int32_t columns = record_columns(of.type);
    all.size_bytes +=
        static_cast<uint64_t>(columns > 0 ? padded / kQuantRows * (of.num_columns / columns) * record_bytes(of.type)
                                          : padded * of.num_columns * (of.type == Type::f16 ? 2 : 4));
  }
  if (groups_.empty()) return;
  numbers_.resize(kNumbers);
  uint32_t state = 1;
  for (float& number : numbers_) {
    state = state * 1664525u + 1013904223u;
    number = static_cast<float>(state >> 8) / (1 << 23) - 0.9f;  // not about 0: a mean shows what is left out
  }
}

std::vector<Tunable> DeviceBench::tunables() const {
  std::vector<Tunable> all;
  for (const Group& group : groups_) all.push_back(group.of);
  return all;
}

DeviceBench::Group& DeviceBench::group_of(const Tunable& of) {
  const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const Group& one) { return one.of == of; });
  if (found == groups_.end()) throw Fault(FaultCode::internal, "There is no such linear to tune.");
  return *found;
}

void DeviceBench::check(const Status& status, const char* what) {
  if (status.ok()) return;
  if (status.code == Code::device_lost) device_lost_ = true;
  throw fault_of(status, what);
}

void DeviceBench::fill(const Rows& rows, int64_t num_floats) {
  const auto count = static_cast<size_t>(std::min<int64_t>(num_floats, static_cast<int64_t>(numbers_.size())));
  check(ops_->upload(device_, rows.data, numbers_.data(), count * sizeof(float)), "Tuning");
}

int32_t DeviceBench::count_ways(const Tunable& of, int32_t num_rows) {
  LinearCall call = group_of(of).calls.front();
  call.x.num_rows = call.out.num_rows = num_rows;
  return ops_->count_ways(device_, &call);
}

std::optional<double> DeviceBench::time(const Tunable& of, int32_t num_rows, int32_t way, int32_t num_calls) {
  const Group& group = group_of(of);
  std::vector<LinearCall> calls(group.calls.begin(),
                                group.calls.begin() + std::min<long>(num_calls, static_cast<long>(group.calls.size())));
  for (LinearCall& call : calls) call.x.num_rows = call.out.num_rows = num_rows;
  const Rows& x = calls.front().x;
  if (filled_ != x.data) fill(x, int64_t{num_rows - 1} * x.stride + x.width);
  filled_ = x.data;
  double ms = 0;
  const Status status = ops_->time_way(device_, calls.data(), static_cast<int32_t>(calls.size()), way, &ms);
  if (status.code == Code::unsupported) return std::nullopt;
  check(status, "Tuning");
  return ms / static_cast<double>(calls.size());
}

// The first row and the last.
std::vector<float> DeviceBench::sample(const Tunable& of, int32_t num_rows, int32_t way) {
  LinearCall call = group_of(of).calls.front();
  call.x.num_rows = call.out.num_rows = num_rows;
  const auto width = static_cast<size_t>(call.out.width);
  const std::vector<float> zeros(width);
  std::vector<float> found;
  for (const int32_t row : {0, num_rows - 1}) {
    Rows x = call.x;
    x.data += int64_t{row} * x.stride;
    fill(x, x.width);
    // A residual is added to what is there.
    check(ops_->upload(device_, call.out.data + int64_t{row} * call.out.stride, zeros.data(), width * sizeof(float)),
          "Tuning");
  }
  filled_ = nullptr;
  double ms = 0;
  check(ops_->time_way(device_, &call, 1, way, &ms), "Tuning");
  for (const int32_t row : {0, num_rows - 1}) {
    found.resize(found.size() + width);
    check(ops_->download(device_, found.data() + found.size() - width, call.out.data + int64_t{row} * call.out.stride,
                         width * sizeof(float)),
          "Tuning");
  }
  return found;
}

void DeviceBench::choose(const TunedWay& way) {
  LinearCall call = group_of(way.of).calls.front();
  call.x.num_rows = call.out.num_rows = way.most_rows;
  check(ops_->choose_way(device_, &call, way.least_rows, way.most_rows, way.way), "Tuning");
}

}  // namespace quoth
