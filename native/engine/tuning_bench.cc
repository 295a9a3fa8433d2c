#include "tuning_bench.h"

#include <algorithm>
#include <cstring>

#include "../fault.h"

namespace quoth {
namespace {

// Of x; more rows hold what was there. Times hardly depend on the numbers.
constexpr size_t kNumbers = size_t{1} << 18;
// Kv pages of a context.
constexpr int32_t kLeastPages = 8, kMostPages = 128;
constexpr int32_t kMostSequences = 64;
constexpr size_t kSharedPages = 4;

}  // namespace

DeviceBench::DeviceBench(const OpenDevice& device, const Runner& runner, int32_t num_pages, FreePages free_pages)
    : device_(device.device), ops_(device.ops), free_pages_(std::move(free_pages)) {
  if (ops_->count_ways != nullptr && ops_->time_way != nullptr && ops_->choose_way != nullptr) add_linears(runner);
  if (ops_->count_attention_ways != nullptr && ops_->time_attention_way != nullptr &&
      ops_->choose_attention_way != nullptr) {
    add_attentions(runner, num_pages);
  }
  if (groups_.empty()) return;
  numbers_.resize(kNumbers);
  uint32_t state = 1;
  for (float& number : numbers_) {
    state = state * 1664525u + 1013904223u;
    number = static_cast<float>(state >> 8) / (1 << 23) - 0.9f;  // not about 0: a mean shows what is left out
  }
}

void DeviceBench::add_linears(const Runner& runner) {
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
    if (found == groups_.end()) found = groups_.insert(groups_.end(), Group{of, {}, {}});
    found->calls.push_back(use.call);
    Tunable& all = found->of;
    ++all.num_layers;
    const int64_t padded = (int64_t{of.num_rows} + kQuantRows - 1) / kQuantRows * kQuantRows;
    const int32_t columns = record_columns(of.type);
    all.size_bytes +=
        static_cast<uint64_t>(columns > 0 ? padded / kQuantRows * (of.num_columns / columns) * record_bytes(of.type)
                                          : padded * of.num_columns * (of.type == Type::f16 ? 2 : 4));
  }
}

// For contexts of 512 tokens and each doubling, as far as there are pages.
void DeviceBench::add_attentions(const Runner& runner, int32_t num_pages) {
  const size_t first = groups_.size();
  for (const AttentionCall& call : runner.attentions()) {
    for (int32_t pages = kLeastPages; pages <= std::min(kMostPages, num_pages); pages *= 2) {
      Tunable of;
      of.type = call.pages.type;
      of.num_rows = call.attention->num_heads;
      of.num_columns = call.attention->head_size;
      of.num_kv_heads = call.attention->num_kv_heads;
      of.num_pages = pages;
      of.most_rows = std::min({kMostSequences, runner.most_sequences(), num_pages / pages});
      auto found = std::find_if(groups_.begin() + static_cast<long>(first), groups_.end(), [&](const Group& one) {
        const Tunable& other = one.of;
        return other.num_rows == of.num_rows && other.num_columns == of.num_columns &&
               other.num_kv_heads == of.num_kv_heads && other.num_pages == of.num_pages;
      });
      if (found == groups_.end()) found = groups_.insert(groups_.end(), Group{of, {}, {}});
      found->attentions.push_back(call);
      ++found->of.num_layers;
      found->of.size_bytes += uint64_t{2} * static_cast<uint64_t>(pages) * static_cast<uint64_t>(of.num_kv_heads) *
                              static_cast<uint64_t>(kv_block_bytes(of.type, of.num_columns));
    }
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

bool DeviceBench::make_batch(const Tunable& of, int32_t num_sequences) {
  pages_ = free_pages_(num_sequences * of.num_pages);
  if (pages_.size() < static_cast<size_t>(num_sequences) * static_cast<size_t>(of.num_pages)) return false;
  const auto count = static_cast<size_t>(num_sequences);
  ids_.assign(count, 0);
  positions_.assign(count, of.num_pages * kPageTokens - 1);
  first_row_.resize(count + 1);
  for (size_t i = 0; i <= count; ++i) first_row_[i] = static_cast<int32_t>(i);
  batch_ = {};
  batch_.num_tokens = batch_.num_sequences = num_sequences;
  batch_.ids = ids_.data();
  batch_.positions = positions_.data();
  batch_.first_row = first_row_.data();
  batch_.page_table = pages_.data();
  batch_.page_table_stride = of.num_pages;
  return true;
}

// The same with few pages, for results that are compared: all contexts are made of the same kSharedPages; the first
// row, the last, and all others end in a page of their own, since a row writes there.
bool DeviceBench::make_small_batch(const Tunable& of, int32_t num_sequences) {
  const std::vector<int32_t> found = free_pages_(kSharedPages + 3);
  if (found.size() < kSharedPages + 3) return false;
  Tunable first_only = of;
  first_only.num_pages = 0;
  if (!make_batch(first_only, num_sequences)) return false;
  pages_.clear();
  for (int32_t b = 0; b < num_sequences; ++b) {
    for (int32_t page = 0; page + 1 < of.num_pages; ++page)
      pages_.push_back(found[static_cast<size_t>(page) % kSharedPages]);
    pages_.push_back(found[kSharedPages + (b == 0 ? 0 : b + 1 == num_sequences ? 1 : 2)]);
  }
  std::fill(positions_.begin(), positions_.end(), of.num_pages * kPageTokens - 1);
  batch_.page_table = pages_.data();
  batch_.page_table_stride = of.num_pages;
  return true;
}

int32_t DeviceBench::count_ways(const Tunable& of, int32_t num_rows) {
  const Group& group = group_of(of);
  if (group.calls.empty()) {
    AttentionCall call = group.attentions.front();
    const int32_t position = of.num_pages * kPageTokens - 1;  // the same for all
    first_row_.resize(static_cast<size_t>(num_rows) + 1);
    for (int32_t i = 0; i <= num_rows; ++i) first_row_[static_cast<size_t>(i)] = i;
    positions_.assign(static_cast<size_t>(num_rows), position);
    batch_ = {};
    batch_.num_tokens = batch_.num_sequences = num_rows;
    batch_.positions = positions_.data();
    batch_.first_row = first_row_.data();
    call.batch = &batch_;
    return ops_->count_attention_ways(device_, &call);
  }
  LinearCall call = group.calls.front();
  call.x.num_rows = call.out.num_rows = num_rows;
  return ops_->count_ways(device_, &call);
}

std::optional<double> DeviceBench::time(const Tunable& of, int32_t num_rows, int32_t way, int32_t num_calls) {
  const Group& group = group_of(of);
  if (group.calls.empty()) return time_attention(group, num_rows, way, num_calls);
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

std::optional<double> DeviceBench::time_attention(const Group& group, int32_t num_rows, int32_t way,
                                                  int32_t num_calls) {
  if (!make_batch(group.of, num_rows)) return std::nullopt;
  std::vector<AttentionCall> calls(
      group.attentions.begin(),
      group.attentions.begin() + std::min<long>(num_calls, static_cast<long>(group.attentions.size())));
  for (AttentionCall& call : calls) {
    call.qkv.num_rows = call.out.num_rows = num_rows;
    call.batch = &batch_;
  }
  const Rows& qkv = calls.front().qkv;
  if (filled_ != qkv.data) fill(qkv, int64_t{num_rows - 1} * qkv.stride + qkv.width);
  filled_ = qkv.data;
  double ms = 0;
  const Status status = ops_->time_attention_way(device_, calls.data(), static_cast<int32_t>(calls.size()), way, &ms);
  if (status.code == Code::unsupported) return std::nullopt;
  check(status, "Tuning");
  return ms / static_cast<double>(calls.size());
}

// Numbers of all types of pages, and scales of those that have some.
void DeviceBench::fill_pages(const KvPages& pages) {
  std::vector<int32_t> once = pages_;
  std::sort(once.begin(), once.end());
  once.erase(std::unique(once.begin(), once.end()), once.end());
  const auto block_bytes = static_cast<size_t>(kv_block_bytes(pages.type, pages.head_size) * pages.num_heads);
  std::vector<uint8_t> bytes(block_bytes);
  uint32_t state = 3;
  for (const int32_t page : once) {
    for (uint8_t& byte : bytes) {
      state = state * 1664525u + 1013904223u;
      byte = static_cast<uint8_t>(0x28 + (state >> 28));  // as halves 0.03 to 0.5
    }
    for (void* memory : {pages.keys, pages.values}) {
      check(ops_->upload(device_, static_cast<uint8_t*>(memory) + static_cast<size_t>(page) * block_bytes, bytes.data(),
                         block_bytes),
            "Tuning");
    }
  }
}

// The first row and the last.
std::vector<float> DeviceBench::sample_rows(const Rows& out) {
  const auto width = static_cast<size_t>(out.width);
  std::vector<float> found(2 * width);
  check(ops_->download(device_, found.data(), out.data, width * sizeof(float)), "Tuning");
  check(ops_->download(device_, found.data() + width, out.data + int64_t{out.num_rows - 1} * out.stride,
                       width * sizeof(float)),
        "Tuning");
  return found;
}

std::vector<float> DeviceBench::sample(const Tunable& of, int32_t num_rows, int32_t way) {
  const Group& group = group_of(of);
  filled_ = nullptr;
  double ms = 0;
  if (group.calls.empty()) {
    AttentionCall call = group.attentions.front();
    call.qkv.num_rows = call.out.num_rows = num_rows;
    if (!make_small_batch(of, num_rows)) return {};
    call.batch = &batch_;
    fill_pages(call.pages);
    for (int32_t row = 0; row < num_rows; ++row) {
      Rows qkv = call.qkv;
      qkv.data += int64_t{row} * qkv.stride;
      fill(qkv, qkv.width);
    }
    check(ops_->time_attention_way(device_, &call, 1, way, &ms), "Tuning");
    return sample_rows(call.out);
  }
  LinearCall call = group.calls.front();
  call.x.num_rows = call.out.num_rows = num_rows;
  const std::vector<float> zeros(static_cast<size_t>(call.out.width));
  for (const int32_t row : {0, num_rows - 1}) {
    Rows x = call.x;
    x.data += int64_t{row} * x.stride;
    fill(x, x.width);
    // A residual is added to what is there.
    check(ops_->upload(device_, call.out.data + int64_t{row} * call.out.stride, zeros.data(),
                       zeros.size() * sizeof(float)),
          "Tuning");
  }
  check(ops_->time_way(device_, &call, 1, way, &ms), "Tuning");
  return sample_rows(call.out);
}

void DeviceBench::choose(const TunedWay& way) {
  const Group& group = group_of(way.of);
  if (group.calls.empty()) {
    AttentionCall call = group.attentions.front();
    (void)count_ways(way.of, way.most_rows);  // makes a batch that says how long the context is
    call.batch = &batch_;
    check(ops_->choose_attention_way(device_, &call, way.least_rows, way.most_rows, way.way), "Tuning");
    return;
  }
  LinearCall call = group.calls.front();
  call.x.num_rows = call.out.num_rows = way.most_rows;
  check(ops_->choose_way(device_, &call, way.least_rows, way.most_rows, way.way), "Tuning");
}

}  // namespace quoth
