// The specification of linear with int4_g32 and int4_g128 weights; the vector loops give the same bits.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "device.h"
#include "float16.h"

namespace quoth::cpu {
namespace {

float half_at(const uint8_t* place) {
  uint16_t half = 0;
  std::memcpy(&half, place, sizeof half);
  return float_from_half(half);
}

// One record (a group of columns) after the other: the exact sum of nibble * value of each 32 columns, these sums times
// their scales of x, less the zero point times the sum of x; then one fused addition to the row's total.
void plain_linear_int4(const LinearTask& task, int32_t first_tile, int32_t end_tile, void*) {
  const Weight& weight = *task.weight;
  const int32_t columns = record_columns(weight.type);
  const int32_t num_parts = columns / kQuantGroup;
  const int64_t bytes = record_bytes(weight.type);
  const int64_t num_records = weight.num_columns / columns;
  const int32_t end_row = std::min(end_tile * kQuantRows, weight.num_rows);
  const int32_t most_rows = block_rows(task.x.num_rows);
  for (int32_t n = first_tile * kQuantRows; n < end_row; ++n) {
    const int32_t r = n % kQuantRows;
    for (int32_t t = 0; t < task.x.num_rows; ++t) {
      const int32_t first = t / most_rows * most_rows;
      const int64_t height = std::min(most_rows, task.x.num_rows - first);
      const int64_t row_in_block = t - first;
      const int64_t groups_before = first * static_cast<int64_t>(weight.num_columns / kQuantGroup);
      const int8_t* values = task.packed.values + 64 * groups_before + row_in_block * 4;
      const float* scales = task.packed.scales + groups_before + row_in_block;
      const float* sums = task.packed.sums + groups_before + row_in_block;
      const uint8_t* record = static_cast<const uint8_t*>(weight.data) + n / kQuantRows * num_records * bytes;
      float total = 0;
      for (int64_t i = 0; i < num_records; ++i, record += bytes) {
        float group_sum = 0;
        for (int32_t part = 0; part < num_parts; ++part) {
          const int64_t group = i * num_parts + part;
          int32_t sum = 0;
          for (int32_t k = 0; k < kQuantGroup; ++k) {
            const uint8_t byte = record[part * 256 + k / 8 * 64 + 4 * r + k % 4];
            const int32_t nibble = k % 8 < 4 ? byte & 15 : byte >> 4;
            const int8_t* place = values + (group * 16 + k / 4) * height * 4 + k % 4;
            sum += nibble * (256 * place[0] + place[32 * height]);
          }
          const float scale = scales[group * height];
          group_sum =
              part == 0 ? scale * static_cast<float>(sum) : std::fmaf(scale, static_cast<float>(sum), group_sum);
        }
        const uint8_t* row_scales = record + columns * kQuantRows / 2;
        const float less_zero = std::fmaf(-half_at(row_scales + 32 + 2 * r), sums[i * height], group_sum);
        total = std::fmaf(half_at(row_scales + 2 * r), less_zero, total);
      }
      if (task.bias != nullptr) total += task.bias[n];
      row_of(task.out, t)[n] = activation_of(total, task.activation);
    }
  }
}

}  // namespace

void set_plain_linear_int4(Loops* loops) {
  loops->linear_int4 = plain_linear_int4;
}

}  // namespace quoth::cpu
