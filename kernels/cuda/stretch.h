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
// Heads of rows times splits of contexts.
inline constexpr int64_t kStretchPartials = 4096;
// Columns of what is handed over, at most.
inline constexpr int32_t kStretchColumns = 16384;

// Columns of a linear's x, at least: steps of narrower models have not been measured as one kernel.
inline constexpr int32_t kStretchLeastColumns = 4096;

// Records of a slot of the ring: two for each warp that multiplies.
inline constexpr int32_t kSlotRecords = 32;
// A linear, int4_g128: out = act(norm(x) W^T + bias). K is cut into records of 128 columns. A slot holds kSlotRecords
// of one tile; what is left over of K, `rest_records` of several tiles.
struct LinearWork {
  const uint8_t* weight;
  const float* norm_weight;  // null: no norm
  const float* bias;
  int32_t num_records;               // of a tile
  int16_t rest_records, rest_tiles;  // num_records % kSlotRecords; tiles of which a slot holds them
  int16_t rest_inverse;              // 1024 / rest_records, rounded up: exact for what a slot holds
  int32_t num_pairs;                 // of tiles of 16 columns of out: `block_pairs` a block, some blocks one more
  int32_t block_pairs, blocks_with_more;
  int32_t first_block;  // that has the first pair, and is the first with one more
  int32_t num_outputs;
  int32_t pair_tiles;   // gated: 2
  int32_t group_tiles;  // weight tiles whose sums are kept until they are added up; a multiple of pair_tiles
  int16_t tile_sums;    // lines of sums of a tile: one for each warp and, of up to 16 rest_records, for each of them
  float epsilon, inverse_columns;
  bool has_silu, is_gated, adds;
  bool is_exact;  // attention reads out: whole floats for it, too
};
// Rope, the step's keys and values into their pages, attention; x is a qkv buffer. f16 pages, heads of 128 columns.
struct AttentionWork {
  void* keys;
  void* values;
  const float* inverse_frequencies;
  int32_t num_heads, num_kv_heads, group_size;
  float scale, rope_factor;
  bool adjacent_pairs;
};
struct alignas(16) StretchOperation {
  const float* x;  // rows, where it comes from before the stretch
  float* out;
  int32_t x_stride, out_stride;      // of rows, in floats
  int32_t x_exchange, out_exchange;  // where the first row is in the exchange
  uint32_t x_tag, out_tag;           // 1 to 255; x_tag 0: x is in `x`
  bool is_attention;
  union {
    LinearWork linear;
    AttentionWork attention;
  };
};
static_assert(sizeof(StretchOperation) <= 128);

struct Stretch {
  uint32_t* exchange;         // f32 [kStretchTokens, kExchangeRegions, a region]
  uint64_t* exact;            // [kStretchTokens, a region]: queries, keys and values, each beside its tag
  uint64_t* partials;         // [T, G, max_splits, H / G, 128]: what splits of contexts gave, each beside its tag
  uint64_t* partial_ends;     // [T, G, max_splits, H / G, 2]: maximum and total
  uint32_t* step;             // its number: tags of `exact` and `partials` are step * 256 + out_tag
  const int32_t* positions;   // [T]
  const int32_t* page_table;  // [T, page_table_stride]
  int32_t exchange_stride;    // of a row: all its regions
  int32_t page_table_stride, max_splits;
  int32_t num_operations, num_tokens;
  int32_t first_attention;  // -1: there is none
  int32_t num_slots, slot_bytes;
  int32_t num_ahead;  // slots on their way at once
  // Offsets into shared memory.
  int32_t x_at, factors_at, sums_at, squares_at, table_at, operations_at, barriers_at, ring_at;
#ifdef QUOTH_STRETCH_PROBE
  int32_t probe;  // test/bench/stretch_bench.cu: 1: no waiting for x; 2: the same weights again and again; 4: no copies
  int64_t* times;  // [operations, 8]: cycles of one block
#endif
  StretchOperation operations[kStretchOperations];
};

struct StretchBuilder {
  Stretch stretch;
  bool is_open = false;     // inside a step
  bool is_refused = false;  // the GPU did not take one
  Rows first_x{};           // of the first operation, which comes from before the stretch
  int32_t region_floats = 0;
  uint32_t num_steps = 0;
  // What the last operations of the open stretch wrote.
  struct Result {
    Rows rows;
    int32_t operation;  // of the whole step
    bool is_attention;
    int32_t first_block;
  } results[8];
  int32_t num_results = 0;
  int32_t step_operations = 0;  // of the step, in all its stretches
  int32_t next_block = 0;       // that had not one more in the last operation
};

// When a device is opened and closed, and the memory that stretches need: null where there are none.
Status make_stretches(Device* device);
void free_stretches(Device* device);
Status reserve_stretches(Device* device, int32_t max_columns);
uint64_t stretch_bytes(const Device* device, int32_t max_columns);
void release_stretches(Device* device);
// A step of so many rows begins: its operations may be joined, once the exchange is zero and `step` has the number of
// the step. Says how much must be zero.
struct StretchStart {
  uint4* exchange;
  int32_t count;  // of `exchange`
  uint32_t* step;
  uint32_t number;
};
StretchStart begin_stretches(Device* device, int32_t num_tokens);
// The step is over. What was not launched is dropped.
void close_stretches(Device* device);
// Whether the operation goes into the stretch that is open; it is done when the stretch ends.
bool join_stretch(Device* device, const Rows& x, const Weight& weight, const float* bias, Activation activation,
                  const LinearFusion& fusion, const Rows& out);
// The same of rope_kv_attention: `staged` and what follows as for the kernels of attention.cu.
bool join_stretch(Device* device, const Rows& qkv, const Attention& shape, const Rope& rope, const DeviceBatch& staged,
                  int32_t page_table_stride, int32_t num_pages, const KvPages& pages, const Rows& out);
// Launches what was joined.
Status end_stretch(Device* device);

}  // namespace quoth::cuda
