// The candidates of one row of logits: the best of them, what the model thinks of all, their penalties, and the places
// where sums along their order reach what is wanted. For sample.cu alone: a block of kThreads calls every function.
#pragma once

#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 1024;
constexpr int32_t kBins = 2 * kThreads;
constexpr int32_t kListed = kThreads;  // candidates of one bin that are put in order together
constexpr int32_t kPartBits = 14;      // three parts of a weight: 2^18 of them have room in 32 bits
constexpr int32_t kMaxVocabulary = 1 << 18;

// Beyond this distance, in temperatures, every weight is 0: 42 ln 2.
constexpr float kFarthest = 29.2f;

struct Shared {
  // First of each bin alone, then with all bins before it.
  uint32_t counts[kBins];
  union {
    uint32_t parts[3][kBins];
    struct {
      uint64_t weights[kBins];
      uint64_t listed_weights[kListed];
    } sums;
  };
  float listed_logits[kListed];
  int32_t listed_ids[kListed];
  uint64_t partial[kThreads / kWarp];
  uint32_t partial_counts[kThreads / kWarp];
  int32_t bin;
  int32_t listed_bin;
  int32_t num_listed;
  uint64_t cut_key;
  uint64_t cut_weights;
  bool is_counted[kMaxLaterIds];
};
static_assert(sizeof(Shared) <= 48 << 10);
__device__ inline Shared& shared_memory() {
  extern __shared__ __align__(16) uint8_t bytes[];
  return *reinterpret_cast<Shared*>(bytes);
}

// Greater keys go first: the logit, and of equal ones the lower id. 0: not a number.
__device__ inline uint64_t key_of(float logit, int32_t id) {
  if (isnan(logit)) return 0;
  const uint32_t bits = __float_as_uint(logit + 0.0f);  // of the two zeros one
  const uint32_t order = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
  return uint64_t{order} << 32 | (0xffffffffu - static_cast<uint32_t>(id));
}
__device__ inline int32_t id_of(uint64_t key) {
  return static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(key));
}
__device__ inline float logit_of(uint64_t key) {
  const uint32_t order = static_cast<uint32_t>(key >> 32);
  return __uint_as_float(order >> 31 != 0 ? order & 0x7fffffffu : ~order);
}

template <typename Join>
__device__ inline uint64_t block_join(uint64_t value, const Join& join) {
  Shared& shared = shared_memory();
#pragma unroll
  for (int32_t step = kWarp / 2; step > 0; step /= 2) value = join(value, __shfl_xor_sync(0xffffffffu, value, step));
  __syncthreads();  // an earlier one has been read by all
  if (threadIdx.x % kWarp == 0) shared.partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = shared.partial[threadIdx.x % kWarp];
#pragma unroll
  for (int32_t step = kWarp / 2; step > 0; step /= 2) value = join(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}
static_assert(kThreads / kWarp == kWarp);
__device__ inline uint64_t block_most(uint64_t value) {
  return block_join(value, [](uint64_t a, uint64_t b) { return a > b ? a : b; });
}
__device__ inline uint64_t block_total(uint64_t value) {
  return block_join(value, [](uint64_t a, uint64_t b) { return a + b; });
}

// One row's logits.
struct Logits {
  float* data;
  int32_t size;
  bool is_aligned;

  // body(id, logit) for every id, each thread some.
  template <typename Body>
  __device__ void each(const Body& body) const {
    if (is_aligned) {
      const float4* fours = reinterpret_cast<const float4*>(data);
#pragma unroll 2
      for (int32_t i = threadIdx.x; i < size / 4; i += kThreads) {
        const float4 four = fours[i];
        body(4 * i, four.x);
        body(4 * i + 1, four.y);
        body(4 * i + 2, four.z);
        body(4 * i + 3, four.w);
      }
    } else {
#pragma unroll 1
      for (int32_t i = threadIdx.x; i < size; i += kThreads) body(i, data[i]);
    }
  }
};

__device__ __noinline__ uint64_t best_of(const Logits& logits, uint64_t below) {
  uint64_t best = 0;
  logits.each([&](int32_t id, float logit) {
    const uint64_t key = key_of(logit, id);
    if (key > best && key < below) best = key;
  });
  return block_most(best);
}

// What the model thinks, before anything is changed.
__device__ __noinline__ void think(const Logits& logits, int32_t num_top, SampledRow* result) {
  uint64_t key = best_of(logits, ~uint64_t{0});
  const float best = logit_of(key);
  const float rate = rate_of(1);
  uint64_t weights = 0;
  logits.each([&](int32_t, float logit) { weights += weight_of(best - logit, rate); });
  weights = block_total(weights);
  if (threadIdx.x == 0) {
    result->best_logit = best;
    result->weights = weights;
  }
  for (int32_t i = 0; i < num_top; ++i) {
    if (threadIdx.x == 0) {
      result->top_ids[i] = key == 0 ? -1 : id_of(key);
      result->top_logits[i] = logit_of(key);
    }
    if (i + 1 < num_top) key = best_of(logits, key);
  }
}

__device__ void penalize(const SampleRow& row, float& logit, int32_t num_all, int32_t num_output) {
  if (row.repetition_penalty != 1 && num_all > 0) {
    logit = logit > 0 ? __fdiv_rn(logit, row.repetition_penalty) : __fmul_rn(logit, row.repetition_penalty);
  }
  if (num_output > 0) {
    const double penalty = __dadd_rn(row.presence_penalty, __dmul_rn(row.frequency_penalty, num_output));
    logit = __fsub_rn(logit, static_cast<float>(penalty));
  }
}

__device__ __noinline__ void weaken(const Logits& logits, const SampleRow& row, const int32_t* chosen) {
  Shared& shared = shared_memory();
  for (int32_t i = threadIdx.x; i < row.num_biases; i += kThreads) {
    float& logit = logits.data[row.biases[i].id];
    logit = __fadd_rn(logit, row.biases[i].bias);
  }
  if (threadIdx.x < kMaxLaterIds) shared.is_counted[threadIdx.x] = false;
  __syncthreads();
  const bool has_penalties = row.repetition_penalty != 1 || row.presence_penalty != 0 || row.frequency_penalty != 0;
  if (!has_penalties) return;
  const auto later = [&](int32_t i) {
    const int32_t id = row.later_ids[i];
    return id >= 0 ? id : chosen[-1 - id];
  };
  for (int32_t i = threadIdx.x; i < row.num_counts; i += kThreads) {
    const TokenCount count = row.counts[i];
    int32_t num_more = 0;
    for (int32_t j = 0; j < row.num_later; ++j) {
      if (later(j) != count.id) continue;
      ++num_more;
      shared.is_counted[j] = true;
    }
    penalize(row, logits.data[count.id], count.num_all + num_more, count.num_output + num_more);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int32_t j = 0; j < row.num_later; ++j) {
      const int32_t id = later(j);
      if (shared.is_counted[j] || id < 0) continue;
      int32_t count = 0;
      for (int32_t other = j; other < row.num_later; ++other) {
        if (later(other) != id) continue;
        ++count;
        shared.is_counted[other] = true;
      }
      penalize(row, logits.data[id], count, count);
    }
  }
  __syncthreads();
}

// The candidates of a row in their order, and sums along it.
class Candidates {
 public:
  // farthest: of the logits of this thread, the largest distance from the best one
  __device__ Candidates(const Logits& logits, float best, float farthest, float temperature, uint64_t least)
      : logits_(logits), best_(best), rate_(rate_of(temperature)), least_(least) {
    // A distance is not below 0: its bits are in its order.
    const uint32_t bits = farthest < INFINITY ? __float_as_uint(farthest) : 0;
    const float range = fminf(__uint_as_float(static_cast<uint32_t>(block_most(bits))), kFarthest * temperature);
    scale_ = range > 1e-30f ? static_cast<float>(kBins - 1) / range : 0.0f;
    count();
  }

  __device__ uint32_t num_candidates() const { return shared_memory().counts[kBins - 1]; }
  __device__ uint64_t total() const { return shared_memory().sums.weights[kBins - 1]; }

  // Sets cut_key to the first candidate with which the number (kByCount) or the weights of all up to it reach `wanted`,
  // which is at least 1 and at most that of all; gives their weights.
  template <bool kByCount>
  __device__ __noinline__ uint64_t reach(uint64_t wanted) {
    __syncthreads();
    for (int32_t bin = threadIdx.x; bin < kBins; bin += kThreads) {
      if (before<kByCount>(bin) < wanted && wanted <= before<kByCount>(bin + 1)) shared_memory().bin = bin;
    }
    __syncthreads();
    const int32_t bin = shared_memory().bin;
    const int32_t num_inside = static_cast<int32_t>(before<true>(bin + 1) - before<true>(bin));
    if (num_inside > kListed) return reach_by_bits<kByCount>(wanted);
    list(bin);
    if (threadIdx.x < num_inside) {
      const uint64_t key = key_of(shared_memory().listed_logits[threadIdx.x], shared_memory().listed_ids[threadIdx.x]);
      uint64_t count = before<true>(bin), weights = before<false>(bin);
      for (int32_t i = 0; i < num_inside; ++i) {
        if (key_of(shared_memory().listed_logits[i], shared_memory().listed_ids[i]) < key) continue;
        ++count;
        weights += shared_memory().sums.listed_weights[i];
      }
      const uint64_t own = kByCount ? 1 : shared_memory().sums.listed_weights[threadIdx.x];
      const uint64_t reached = kByCount ? count : weights;
      if (reached - own < wanted && wanted <= reached) {
        shared_memory().cut_key = key;
        shared_memory().cut_weights = weights;
      }
    }
    __syncthreads();
    return shared_memory().cut_weights;
  }

 private:
  // Without those below min-p.
  __device__ uint64_t kept(uint64_t weight) const { return weight < least_ ? 0 : weight; }
  __device__ int32_t bin_of(float distance) const { return min(static_cast<int32_t>(distance * scale_), kBins - 1); }
  // Of all bins before that one.
  template <bool kByCount>
  __device__ uint64_t before(int32_t bin) const {
    if (bin == 0) return 0;
    return kByCount ? shared_memory().counts[bin - 1] : shared_memory().sums.weights[bin - 1];
  }

  __device__ void count() {
    for (int32_t i = threadIdx.x; i < kBins; i += kThreads) {
      shared_memory().counts[i] = 0;
      for (int32_t part = 0; part < 3; ++part) shared_memory().parts[part][i] = 0;
    }
    if (threadIdx.x == 0) shared_memory().listed_bin = -1;
    __syncthreads();
    logits_.each([&](int32_t, float logit) {
      const float distance = best_ - logit;
      uint64_t weight = weight_of(distance, rate_);
      if (weight == 0) return;
      const int32_t bin = bin_of(distance);
      atomicAdd(&shared_memory().counts[bin], 1u);
      weight = kept(weight);
#pragma unroll
      for (int32_t part = 0; part < 3; ++part) {
        const uint32_t bits = static_cast<uint32_t>(weight >> (kPartBits * part)) & ((1u << kPartBits) - 1);
        if (bits != 0) atomicAdd(&shared_memory().parts[part][bin], bits);
      }
    });
    __syncthreads();
    // Sums up to each bin: a thread has two neighbours.
    uint32_t counts[2];
    uint64_t weights[2];
#pragma unroll
    for (int32_t i = 0; i < 2; ++i) {
      const int32_t bin = 2 * static_cast<int32_t>(threadIdx.x) + i;
      counts[i] = shared_memory().counts[bin];
      weights[i] = shared_memory().parts[0][bin] + (uint64_t{shared_memory().parts[1][bin]} << kPartBits) +
                   (uint64_t{shared_memory().parts[2][bin]} << (2 * kPartBits));
    }
    counts[1] += counts[0];
    weights[1] += weights[0];
    uint32_t count = counts[1];
    uint64_t weight = weights[1];
    const int32_t lane = threadIdx.x % kWarp;
    const int32_t warp = threadIdx.x / kWarp;
#pragma unroll
    for (int32_t step = 1; step < kWarp; step *= 2) {
      const uint32_t count_before = __shfl_up_sync(0xffffffffu, count, step);
      const uint64_t weight_before = __shfl_up_sync(0xffffffffu, weight, step);
      if (lane >= step) count += count_before, weight += weight_before;
    }
    __syncthreads();  // all parts are read
    if (lane == kWarp - 1) shared_memory().partial_counts[warp] = count, shared_memory().partial[warp] = weight;
    __syncthreads();
    count -= counts[1], weight -= weights[1];
    for (int32_t i = 0; i < warp; ++i) count += shared_memory().partial_counts[i], weight += shared_memory().partial[i];
#pragma unroll
    for (int32_t i = 0; i < 2; ++i) {
      const int32_t bin = 2 * static_cast<int32_t>(threadIdx.x) + i;
      shared_memory().counts[bin] = count + counts[i];
      shared_memory().sums.weights[bin] = weight + weights[i];
    }
    __syncthreads();
  }

  // Brings the bin's candidates together, in any order.
  __device__ __noinline__ void list(int32_t bin) {
    if (shared_memory().listed_bin == bin) return;
    __syncthreads();  // all have seen which bin was listed
    if (threadIdx.x == 0) shared_memory().num_listed = 0, shared_memory().listed_bin = bin;
    __syncthreads();
    logits_.each([&](int32_t id, float logit) {
      const float distance = best_ - logit;
      if (!(distance < INFINITY) || bin_of(distance) != bin) return;
      const uint64_t weight = weight_of(distance, rate_);
      if (weight == 0) return;
      const int32_t at = atomicAdd(&shared_memory().num_listed, 1);
      shared_memory().listed_logits[at] = logit;
      shared_memory().listed_ids[at] = id;
      shared_memory().sums.listed_weights[at] = kept(weight);
    });
    __syncthreads();
  }

  // The greatest key such that all from it on reach `wanted`, from its highest bit on.
  template <bool kByCount>
  __device__ __noinline__ uint64_t reach_by_bits(uint64_t wanted) {
    uint64_t key = 0, reached = 0;
    const auto try_key = [&](uint64_t next) {
      uint64_t count = 0, weights = 0;
      logits_.each([&](int32_t id, float logit) {
        const uint64_t weight = weight_of(best_ - logit, rate_);
        if (weight == 0 || key_of(logit, id) < next) return;
        ++count;
        weights += kept(weight);
      });
      weights = block_total(weights);
      if ((kByCount ? block_total(count) : weights) < wanted) return;
      key = next;
      reached = weights;
    };
    for (int32_t bit = 63; bit >= 32; --bit) try_key(key | uint64_t{1} << bit);
    key |= 0xffffffffu - (kMaxVocabulary - 1);  // as all keys have
    try_key(key);
    for (int32_t bit = 17; bit >= 0; --bit) try_key(key | uint64_t{1} << bit);
    static_assert(kMaxVocabulary == 1 << 18);
    if (threadIdx.x == 0) shared_memory().cut_key = key;
    __syncthreads();
    return reached;
  }

  const Logits& logits_;
  float best_;
  float rate_;
  float scale_ = 0;
  uint64_t least_;  // weight that min-p keeps
};

}  // namespace
}  // namespace quoth::cuda
