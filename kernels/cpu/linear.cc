// out = act(x W^T + bias). Weights are read once per step: row tiles are shared between the threads, and each thread
// takes all rows of x through its tiles.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "device.h"
#include "float16.h"
#include "float8.h"

namespace quoth::cpu {
namespace {

// A group of 32 values becomes 16-bit integers by its largest magnitude. A NaN or an infinity makes the group's scale
// one, so the row's results say so instead of hiding it; a group below kQuantLeast is zero.
void plain_pack_row(const float* x, int32_t num_columns, int32_t height, int8_t* values, float* scales, int32_t*,
                    float* sums) {
  for (int32_t group = 0; group < num_columns / kQuantGroup; ++group, x += kQuantGroup) {
    uint32_t largest = 0;  // the bits of |x| order as |x| does, with NaN above all
    for (int32_t k = 0; k < kQuantGroup; ++k) {
      uint32_t bits = 0;
      std::memcpy(&bits, x + k, sizeof bits);
      largest = std::max(largest, bits & 0x7fffffffu);
    }
    float maximum = 0;
    std::memcpy(&maximum, &largest, sizeof maximum);
    const bool is_finite = largest < 0x7f800000u;
    const bool is_zero = maximum < kQuantLeast;
    const float inverse = is_finite && !is_zero ? kQuantLargest / maximum : 0.0f;
    int32_t sum = 0;
    for (int32_t k = 0; k < kQuantGroup; ++k) {
      const int32_t value = is_finite ? static_cast<int32_t>(std::nearbyintf(x[k] * inverse)) : 0;
      sum += value;
      const int32_t high = (value + 128) >> 8;
      int8_t* place = values + (static_cast<int64_t>(group) * 16 + k / 4) * height * 4 + k % 4;
      place[0] = static_cast<int8_t>(high);
      place[32 * static_cast<int64_t>(height)] = static_cast<int8_t>(value - 256 * high);
    }
    const float scale = is_finite && is_zero ? 0.0f : maximum / kQuantLargest;
    scales[static_cast<int64_t>(group) * height] = scale;
    if (sums != nullptr) sums[static_cast<int64_t>(group) * height] = scale * static_cast<float>(sum);
  }
}

void plain_linear_quantized(const LinearTask& task, int32_t first_tile, int32_t end_tile, void*) {
  const Weight& weight = *task.weight;
  const bool is_q8 = weight.type == Type::q8;
  const int64_t num_groups = weight.num_columns / kQuantGroup;
  const int64_t weight_bytes = is_q8 ? 512 : 256;
  const int64_t bytes = record_bytes(weight.type);
  const int32_t end_row = std::min(end_tile * kQuantRows, weight.num_rows);
  const int32_t most_rows = block_rows(task.x.num_rows);
  for (int32_t n = first_tile * kQuantRows; n < end_row; ++n) {
    const int32_t r = n % kQuantRows;
    for (int32_t t = 0; t < task.x.num_rows; ++t) {
      const int32_t first = t / most_rows * most_rows;
      const int64_t height = std::min(most_rows, task.x.num_rows - first);
      const int8_t* values =
          task.packed.values + 2 * static_cast<int64_t>(first) * weight.num_columns + (t - first) * 4;
      const float* scales = task.packed.scales + first * num_groups + (t - first);
      const uint8_t* record = static_cast<const uint8_t*>(weight.data) + n / kQuantRows * num_groups * bytes;
      float total = 0;
      for (int64_t group = 0; group < num_groups; ++group, record += bytes) {
        int32_t sum = 0;
        for (int32_t k = 0; k < kQuantGroup; ++k) {
          int32_t w = 0;
          if (is_q8) {
            w = record[k / 4 * 64 + 4 * r + k % 4] - 128;
          } else {
            const uint8_t byte = record[k / 8 * 64 + 4 * r + k % 4];
            w = weight.codebook[k % 8 < 4 ? byte & 15 : byte >> 4];
          }
          const int8_t* place = values + (group * 16 + k / 4) * height * 4 + k % 4;
          sum += w * (256 * place[0] + place[32 * height]);
        }
        uint16_t half = 0;
        std::memcpy(&half, record + weight_bytes + 2 * r, sizeof half);
        // One rounding per group, as the vector loops do it: all instruction sets give the same bits.
        total = std::fmaf(static_cast<float>(sum), float_from_half(half) * scales[group * height], total);
      }
      if (task.bias != nullptr) total += task.bias[n];
      row_of(task.out, t)[n] = activation_of(total, task.activation);
    }
  }
}

void plain_linear_float(const LinearTask& task, int32_t first_row, int32_t end_row) {
  const Weight& weight = *task.weight;
  const int64_t num_columns = weight.num_columns;
  for (int32_t n = first_row; n < end_row; ++n) {
    for (int32_t t = 0; t < task.x.num_rows; ++t) {
      const float* x = row_of(task.x, t);
      float total = 0;
      if (weight.type == Type::f32) {
        const float* w = static_cast<const float*>(weight.data) + n * num_columns;
        for (int64_t k = 0; k < num_columns; ++k) total += w[k] * x[k];
      } else if (weight.type == Type::f8) {
        const uint8_t* w = static_cast<const uint8_t*>(weight.data) + n * num_columns;
        for (int64_t k = 0; k < num_columns; ++k) total += float_from_float8(w[k]) * x[k];
        total *= f8_scales(weight)[n];
      } else {
        const uint16_t* w = static_cast<const uint16_t*>(weight.data) + n * num_columns;
        for (int64_t k = 0; k < num_columns; ++k) total += float_from_half(w[k]) * x[k];
      }
      if (task.bias != nullptr) total += task.bias[n];
      row_of(task.out, t)[n] = activation_of(total, task.activation);
    }
  }
}

// `columns`: of a group of the weight's; then the sums of x are those of such groups. 0: no sums are wanted.
void pack_rows(Device* device, const Rows& x, int32_t columns) {
  const int64_t num_groups = x.width / kQuantGroup;
  const int32_t most_rows = block_rows(x.num_rows);
  for_rows(device, x.num_rows, x.width, [&](int32_t t) {
    const int32_t first = t / most_rows * most_rows;
    const int32_t height = std::min(most_rows, x.num_rows - first);
    const int64_t at = first * num_groups + (t - first);
    float* sums = columns > 0 ? device->packed.sums + at : nullptr;
    device->loops.pack_row(row_of(x, t), x.width, height,
                           device->packed.values + 2 * static_cast<int64_t>(first) * x.width + (t - first) * 4,
                           device->packed.scales + at, device->packed.corrections + at, sums);
    const int64_t num_parts = columns / kQuantGroup;
    for (int64_t group = 0; num_parts > 1 && group < num_groups / num_parts; ++group) {
      float sum = sums[group * num_parts * height];
      for (int64_t part = 1; part < num_parts; ++part) sum += sums[(group * num_parts + part) * height];
      sums[group * height] = sum;
    }
  });
}

}  // namespace

void set_plain_linear(Loops* loops) {
  loops->pack_row = plain_pack_row;
  loops->linear_quantized = plain_linear_quantized;
  loops->linear_float = plain_linear_float;
}

Status linear(Device* device, Rows x, const Weight* weight, const float* bias, Activation activation, Rows out) {
  if (x.width != weight->num_columns || out.width != weight->num_rows || out.num_rows != x.num_rows) {
    return {Code::invalid_input, "linear: x must be [T, K] and out [T, N] for a weight [N, K]"};
  }
  if (x.num_rows == 0 || weight->num_rows == 0) return {};
  LinearTask task{x, weight, bias, activation, out, device->packed};
  const int32_t num_threads = device->pool.num_threads();
  if (weight->type == Type::i32) return {Code::unsupported, "linear: a weight of whole numbers"};
  const int32_t columns = record_columns(weight->type);
  if (columns == 0) {
    const int32_t share = weight->num_rows / (num_threads * 4) / 4 * 4;
    const int32_t chunk_rows = std::clamp(share, 4, 64);
    parallel(device, (weight->num_rows + chunk_rows - 1) / chunk_rows, [&](int32_t chunk, int32_t) {
      device->loops.linear_float(task, chunk * chunk_rows, std::min((chunk + 1) * chunk_rows, weight->num_rows));
    });
    return {};
  }
  if (weight->num_columns % columns != 0)
    return {Code::invalid_input, "linear: K must be whole groups of the weight's"};
  if (weight->type == Type::q4 && weight->codebook == nullptr) {
    return {Code::invalid_input, "linear: a q4 weight has no codebook"};
  }
  if (x.num_rows > device->max_tokens || x.width > device->max_columns) {
    return {Code::invalid_input, "linear: the step is larger than was reserved"};
  }
  const bool is_int4 = weight->type == Type::int4_g32 || weight->type == Type::int4_g128;
  const auto run = is_int4 ? device->loops.linear_int4 : device->loops.linear_quantized;
  pack_rows(device, x, is_int4 ? columns : 0);
  const int32_t num_tiles = (weight->num_rows + kQuantRows - 1) / kQuantRows;
  // A chunk is some microseconds of work: whole unpacked sets of tiles when many rows share them, else some kilobytes.
  const int32_t share = std::max(1, num_tiles / (num_threads * 4));
  const int32_t chunk_tiles = std::min(share, unpack_tiles(weight->num_columns));
  parallel(device, (num_tiles + chunk_tiles - 1) / chunk_tiles, [&](int32_t chunk, int32_t thread) {
    run(task, chunk * chunk_tiles, std::min((chunk + 1) * chunk_tiles, num_tiles), device->scratch(thread));
  });
  return {};
}

}  // namespace quoth::cpu
