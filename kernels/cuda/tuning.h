// Which way of doing a linear is taken, of those that give the same bits: the table that `choose_way` fills, and the
// timer. native/engine/tuner.h decides.
#pragma once

#include "device.h"
#include "linear_decode.h"

namespace quoth::cuda {

Status make_ways(Device* device);
void free_ways(Device* device);
// The driver's version, and that of this library's sources; of 32 bytes.
void name_driver(char (&name)[32]);
void name_kernels(char (&name)[32]);

// kOwnWay, or one that this call has.
int32_t way_of(const Device* device, const Weight& weight, const LinearFusion& fusion, int32_t num_rows);
inline DecodeChoice decode_choice(int32_t way) {
  return way == kOwnWay ? DecodeChoice{} : kDecodeWays[way];
}

int32_t count_ways(Device* device, const LinearCall* call);
Status time_way(Device* device, const LinearCall* calls, int32_t num_calls, int32_t way, double* milliseconds);
Status choose_way(Device* device, const LinearCall* call, int32_t least_rows, int32_t most_rows, int32_t way);

// Of attention with one row of each sequence. Way i: 2^i blocks share a context; where there are no clusters, way 0:
// one block, way 1: one for each split.
int32_t attention_way_of(const Device* device, const KvPages& pages, int32_t num_heads, int32_t num_pages,
                         int32_t num_sequences);
int32_t count_attention_ways(Device* device, const AttentionCall* call);
Status time_attention_way(Device* device, const AttentionCall* calls, int32_t num_calls, int32_t way,
                          double* milliseconds);
Status choose_attention_way(Device* device, const AttentionCall* call, int32_t least_rows, int32_t most_rows,
                            int32_t way);

}  // namespace quoth::cuda
