// A stretch: operations of a decode step that follow one another, as one kernel that stays on every multiprocessor.
//
// Weights come in a stream that waits for no activation: while the blocks hand x over from one operation to the next,
// the memory fills what is free of the ring. x goes through the exchange, memory of which every float says by its low
// eight bits whether it is this operation's: a reader waits for each value itself, and no barrier is needed.
#pragma once

#include "device.h"

namespace quoth::cuda {

// Rows that a stretch takes.
inline constexpr int32_t kStretchTokens = 4;
inline constexpr int32_t kStretchOperations = 240;  // what fits the parameters of a kernel
// Results in the exchange: that of operation n may be written over from operation n + kExchangeRegions on, and is read
// by n + kExchangeRegions - 3 at most.
inline constexpr int32_t kExchangeRegions = 6;

// int4_g128, one linear. K is cut into records of 128 columns.
struct alignas(16) StretchOperation {
  const uint8_t* weight;
  const float* x;            // rows, where it comes from before the stretch
  const float* norm_weight;  // null: no norm
  const float* bias;
  float* out;
  int32_t x_stride, out_stride;  // of rows, in floats
  int32_t x_exchange, x_exchange_stride;
  int32_t out_exchange, out_exchange_stride;
  uint32_t x_tag, out_tag;  // 1 to 255; x_tag 0: x is in `x`
  int32_t num_records;      // of a tile
  int32_t part_records;     // that one slot of the ring holds; a multiple of 16, or all
  int32_t num_pairs;        // of tiles of 16 columns of out
  int32_t num_outputs;
  int32_t pair_tiles;   // gated: 2
  int32_t group_tiles;  // weight tiles whose sums are kept until they are added up; a multiple of pair_tiles
  float epsilon, inverse_columns;
  int16_t activation;
  int8_t adds, is_gated;
  int32_t unused[3];
};
static_assert(sizeof(StretchOperation) == 128);

struct Stretch {
  uint32_t* exchange;
  int32_t num_operations, num_tokens;
  int32_t num_slots, slot_bytes;
  int32_t num_ahead;  // slots on their way at once
  // Offsets into shared memory.
  int32_t x_at, factors_at, sums_at, squares_at, operations_at, barriers_at;
#ifdef QUOTH_STRETCH_PROBE
  int32_t probe;  // 1: no waiting for x; 2: the same weights again and again; 4: no copies; 8: one warp-record at once
  int64_t* times;
#endif
  StretchOperation operations[kStretchOperations];
};

struct StretchBuilder {
  Stretch stretch;
  struct Result {
    const float* data;
    int32_t width, stride, operation;  // operation: of the whole step
    bool is_gated;
  } results[8];
  int32_t num_results = 0;
  int32_t step_operations = 0;  // of the step, in all its stretches
  int32_t exchange_floats = 0;  // of a region and a row
};

Status make_stretches(Device* device);
void free_stretches(Device* device);
// Whether the operation goes into the stretch that is open; it is done when the stretch ends.
bool join_stretch(Device* device, const Rows& x, const Weight& weight, const float* bias, Activation activation,
                  const LinearFusion& fusion, const Rows& out);
// Launches what was joined.
Status end_stretch(Device* device);

}  // namespace quoth::cuda
