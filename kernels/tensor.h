// What a kernel sees: weights as the plan file lays them out, activations as rows, and the shape of one step.
//
// Letters used in every comment below this folder:
//   T  tokens (rows) of this step         B  sequences in this step        O  rows whose logits are wanted
//   N  rows of a weight (outputs)         K  columns of a weight (inputs)  V  size of the vocabulary
//   H  query heads   G  key/value heads   d  size of a head                R  rotary size, R <= d
//   P  kv pages in the pool               S  tokens of a kv page (64)      M  kv pages of the longest sequence
#pragma once

#include <cstdint>

namespace quoth {

inline constexpr int32_t kPageTokens = 64;  // S: TensorRT-LLM's and FlashInfer's usual size; 64 rows fill a tile
inline constexpr int32_t kQuantGroup = 32;  // columns that share one scale in q8 and q4
inline constexpr int32_t kQuantRows = 16;   // rows of one record: the 32-bit lanes of an AVX-512 register

// Layouts are in engines/plan/format.md, section "Tensor types".
// i8 is a type of kv pages alone.
enum class Type : int32_t { f32 = 0, f16 = 1, q8 = 2, q4 = 3, int4_g32 = 4, int4_g128 = 5, f8 = 6, i32 = 7, i8 = 8 };

// Types whose weights lie in records of 16 rows, and how many columns such a record has; 0 for the others.
constexpr int32_t record_columns(Type type) {
  switch (type) {
    case Type::q8:
    case Type::q4:
    case Type::int4_g32:
      return 32;
    case Type::int4_g128:
      return 128;
    default:
      return 0;
  }
}
constexpr int32_t record_bytes(Type type) {
  switch (type) {
    case Type::q8:
      return 544;
    case Type::q4:
      return 288;
    case Type::int4_g32:
      return 320;
    case Type::int4_g128:
      return 1088;
    default:
      return 0;
  }
}
// Where the scales of an f8 weight begin.
constexpr int64_t f8_scales_offset(int64_t num_rows, int64_t num_columns) {
  return (num_rows * num_columns + 63) / 64 * 64;
}

// A weight of the plan. `data` is mapped read-only and 64-byte aligned.
//   f32, f16              [N, K] row-major
//   q8, q4, int4_g32      records of 16 rows x 32 columns; N is padded to 16 with zero rows, K % 32 == 0
//   int4_g128             the same, of 128 columns
//   f8                    [N, K] row-major bytes (E4M3), then f32 [N] scales at f8_scales_offset(N, K)
//   i32                   [1, K]; not the weight of a linear
struct Weight {
  Type type = Type::f32;
  int32_t num_rows = 0;     // N, without padding
  int32_t num_columns = 0;  // K
  const void* data = nullptr;
  const int8_t* codebook = nullptr;  // q4: int8 [16], the value of each nibble; else null
};

// Activations: f32 [rows, width], row i at data + i * stride. A view may be some columns of a wider buffer.
struct Rows {
  float* data = nullptr;
  int32_t num_rows = 0;
  int32_t width = 0;
  int32_t stride = 0;  // floats between two rows, >= width
};

// Keys and values of one layer, for all sequences: [P, G] blocks, one page of one head each.
//   f32, f16   [S, d]
//   i8         [S, d] bytes, then f16 [S] scales: column i of a token is byte i times the token's scale. The scale is
//              the largest magnitude / 127, in f16; the bytes are column / scale, rounded to nearest, at most 127
//   f8         the same with E4M3 for the bytes and 448 for 127
// A token that holds no number, an infinity or more than 65,000 has a NaN for its scale in i8 and f8.
struct KvPages {
  Type type = Type::f16;  // f32, f16, i8 or f8
  void* keys = nullptr;
  void* values = nullptr;
  int32_t num_heads = 0;  // G
  int32_t head_size = 0;  // d
};
inline constexpr float kMaxKvByteValue = 65000;
constexpr bool is_kv_type(Type type) {
  return type == Type::f32 || type == Type::f16 || type == Type::i8 || type == Type::f8;
}
// Of a token's key or value of one head, with its scale.
constexpr int64_t kv_row_bytes(Type type, int64_t head_size) {
  return type == Type::f32 ? 4 * head_size : type == Type::f16 ? 2 * head_size : head_size + 2;
}
constexpr int64_t kv_block_bytes(Type type, int64_t head_size) {
  return kPageTokens * kv_row_bytes(type, head_size);
}

// One step: rows of several sequences, those of a sequence consecutive and in order.
struct Batch {
  int32_t num_tokens = 0;                // T
  const int32_t* ids = nullptr;          // [T]
  const int32_t* positions = nullptr;    // [T]     place of each row in its sequence, from 0
  const int32_t* segments = nullptr;     // [T]     part of its pair that each row is in; null = all 0
  int32_t num_sequences = 0;             // B
  const int32_t* first_row = nullptr;    // [B + 1] rows of sequence b: first_row[b] .. first_row[b + 1]
  const int32_t* page_table = nullptr;   // [B, M]  kv page that holds tokens 64 j .. 64 j + 63 of sequence b
  int32_t page_table_stride = 0;         // M
  int32_t num_outputs = 0;               // O
  const int32_t* output_rows = nullptr;  // [O]     rows of this step whose logits are wanted, ascending
  // [T] or null: the id that the last `sample` chose for its row so stands in place of ids[t]; -1: ids[t]. Between
  // `begin_step` and `end_step` of a device with `sample` only.
  const int32_t* chosen_ids = nullptr;
};

}  // namespace quoth
