// Reads the numbers of a checkpoint: the types of safetensors and the blocks of GGUF, as float32.
#pragma once

#include <cstdint>
#include <string_view>

#include "small_types.h"

namespace quoth {

// How a checkpoint's type stands in memory. Every block holds the same count of consecutive values of one row.
struct BlockFormat {
  const char* name;      // lower case, as in PackRequest.from
  int32_t block_values;  // values of a block; the columns of a tensor are a multiple of it
  int32_t block_bytes;
  // The value whose size is `native_divisor` times a group's scale stands in every group of 32, so that the scale can
  // be found again exactly; 0 where it is not so.
  int32_t native_divisor;
  //   blocks   [num_blocks * block_bytes], no alignment asked for
  //   out      f32 [num_blocks * block_values]
  void (*to_float)(const uint8_t* blocks, int64_t num_blocks, float* out);
  // A block's own 4-bit codes as groups of 32, exact but for the rounding of scale and zero point to f16; null for
  // formats that have other codes. Fields of a group past the 32 codes are left alone.
  //   groups   [block_values / 32]
  void (*to_int4)(const uint8_t* block, Int4Group* groups);
};

// Null for a name that is not read here.
const BlockFormat* find_block_format(std::string_view name);

float float_from_half(uint16_t half);
// Rounds to nearest, ties to even; too large becomes infinity.
uint16_t half_from_float(float value);

}  // namespace quoth
