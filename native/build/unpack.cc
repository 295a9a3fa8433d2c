#include "unpack.h"

#include <cmath>
#include <cstring>

#include "clones.h"
#include "dequantize.h"
#include "parallel.h"
#include "small_types.h"

namespace quoth {
namespace {

uint16_t half_at(const uint8_t* place) {
  uint16_t half = 0;
  std::memcpy(&half, place, sizeof half);
  return half;
}

// The record of row n and of column k.
const uint8_t* record_of(const uint8_t* packed, Type type, int32_t num_columns, int32_t n, int32_t k) {
  const int64_t per_tile = num_columns / record_columns(type);
  return packed + (n / kQuantRows * per_tile + k / record_columns(type)) * record_bytes(type);
}

// error += |a - b|^2, energy += |a|^2
QUOTH_CLONES void add_differences(const float* a, const float* b, int64_t count, double* error, double* energy) {
  float lost[16] = {}, whole[16] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int j = 0; j < 16; j++) {
      const float difference = a[i + j] - b[i + j];
      lost[j] += difference * difference;
      whole[j] += a[i + j] * a[i + j];
    }
  }
  for (; i < count; i++) {
    lost[0] += (a[i] - b[i]) * (a[i] - b[i]);
    whole[0] += a[i] * a[i];
  }
  for (int j = 0; j < 16; j++) {
    *error += lost[j];
    *energy += whole[j];
  }
}

uint8_t nibble_of(const uint8_t* record, int32_t r, int32_t k) {
  const uint8_t byte = record[64 * (k / 8) + 4 * r + k % 4];
  return k % 8 < 4 ? byte & 15 : byte >> 4;
}

void unpack_row(Type type, const uint8_t* packed, int32_t num_rows, int32_t num_columns, int32_t n, float* out) {
  const int64_t first = static_cast<int64_t>(n) * num_columns;
  switch (type) {
    case Type::f32:
      std::memcpy(out, packed + first * 4, static_cast<size_t>(num_columns) * 4);
      return;
    case Type::f16:
      for (int32_t k = 0; k < num_columns; k++) out[k] = float_from_half(half_at(packed + (first + k) * 2));
      return;
    case Type::f8: {
      float scale = 0;
      std::memcpy(&scale, packed + f8_scales_offset(num_rows, num_columns) + int64_t{4} * n, sizeof scale);
      for (int32_t k = 0; k < num_columns; k++) out[k] = float_from_float8(packed[first + k]) * scale;
      return;
    }
    default:
      break;
  }
  const int32_t r = n % kQuantRows;
  const int32_t columns = record_columns(type);
  for (int32_t g = 0; g < num_columns; g += columns) {
    const uint8_t* record = record_of(packed, type, num_columns, n, g);
    if (type == Type::q8) {
      const float scale = float_from_half(half_at(record + 512 + 2 * r));
      for (int32_t k = 0; k < columns; k++) {
        out[g + k] = static_cast<float>(record[64 * (k / 4) + 4 * r + k % 4] - 128) * scale;
      }
      continue;
    }
    const uint8_t* scales = record + columns * kQuantRows / 2;
    const float scale = float_from_half(half_at(scales + 2 * r));
    const float zero = float_from_half(half_at(scales + 2 * kQuantRows + 2 * r));
    for (int32_t k = 0; k < columns; k += 8) {
      const uint8_t* bytes = record + 8 * k + 4 * r;
      for (int32_t j = 0; j < 4; j++) {
        out[g + k + j] = (static_cast<float>(bytes[j] & 15) - zero) * scale;
        out[g + k + 4 + j] = (static_cast<float>(bytes[j] >> 4) - zero) * scale;
      }
    }
  }
}

}  // namespace

Status unpack(Type type, const uint8_t* packed, int32_t num_rows, int32_t num_columns, float* out) {
  if (type == Type::q4 || type == Type::i32) return {Code::unsupported, "this type is not read back"};
  constexpr int32_t kRowsOfItem = 16;
  share((num_rows - 1) / kRowsOfItem + 1, [&](int32_t item, int32_t) {
    for (int32_t n = item * kRowsOfItem; n < std::min(num_rows, (item + 1) * kRowsOfItem); n++) {
      unpack_row(type, packed, num_rows, num_columns, n, out + static_cast<int64_t>(n) * num_columns);
    }
  });
  return {};
}

Status measure_packed(const PackJob& job, const uint8_t* packed, PackLoss* loss) {
  if (const Status status = check_job(job); !status.ok()) return status;
  if (job.to == Type::q4 || job.to == Type::i32) return {Code::unsupported, "this type is not read back"};
  const int64_t num_columns = job.num_columns;
  const int64_t blocks_of_row = num_columns / job.from->block_values;
  struct Worker {
    std::vector<float> numbers, meaning;
    PackLoss loss;
  };
  std::vector<Worker> workers(static_cast<size_t>(num_cores()));
  for (Worker& own : workers) {
    own.numbers.resize(static_cast<size_t>(num_columns));
    own.meaning.resize(static_cast<size_t>(num_columns));
  }
  constexpr int32_t kRowsOfItem = 16;
  share((job.num_rows - 1) / kRowsOfItem + 1, [&](int32_t item, int32_t worker) {
    Worker& own = workers[static_cast<size_t>(worker)];
    for (int32_t n = item * kRowsOfItem; n < std::min(job.num_rows, (item + 1) * kRowsOfItem); n++) {
      const int64_t row = job.row_order == nullptr ? n : job.row_order[n];
      job.from->to_float(job.bytes + row * blocks_of_row * job.from->block_bytes, blocks_of_row, own.numbers.data());
      unpack_row(job.to, packed, job.num_rows, job.num_columns, n, own.meaning.data());
      add_differences(own.numbers.data(), own.meaning.data(), num_columns, &own.loss.lost, &own.loss.energy);
    }
  });
  *loss = {};
  for (const Worker& own : workers) {
    loss->lost += own.loss.lost;
    loss->energy += own.loss.energy;
  }
  return {};
}

Status to_awq_gemm(const uint8_t* packed, int32_t num_rows, int32_t num_columns, uint32_t* qweight, uint32_t* qzeros,
                   uint16_t* scales) {
  if (num_rows % 8 != 0 || num_columns % 128 != 0) {
    return {Code::invalid_input, "AutoAWQ's form needs rows in eights and columns in groups of 128"};
  }
  static constexpr int32_t kOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};
  const int32_t num_words = num_rows / 8;
  std::atomic<bool> whole{true};
  share(num_columns / 128, [&](int32_t g, int32_t) {
    for (int32_t c = 0; c < num_words; c++) {
      const uint8_t* record = record_of(packed, Type::int4_g128, num_columns, 8 * c, 128 * g);
      const int32_t first = 8 * c % kQuantRows;
      uint32_t zeros = 0;
      for (int32_t i = 0; i < 8; i++) {
        const uint8_t* places = record + 1024 + 2 * (first + kOrder[i]);
        const float zero = float_from_half(half_at(places + 2 * kQuantRows));
        if (!(zero >= 0 && zero <= 15 && zero == std::floor(zero))) {
          whole = false;
          continue;
        }
        zeros |= static_cast<uint32_t>(zero) << (4 * i);
        scales[static_cast<int64_t>(g) * num_rows + 8 * c + kOrder[i]] = half_at(places);
      }
      qzeros[static_cast<int64_t>(g) * num_words + c] = zeros;
      for (int32_t k = 0; k < 128; k++) {
        uint32_t word = 0;
        for (int32_t i = 0; i < 8; i++) {
          word |= static_cast<uint32_t>(nibble_of(record, first + kOrder[i], k)) << (4 * i);
        }
        qweight[(static_cast<int64_t>(128) * g + k) * num_words + c] = word;
      }
    }
  });
  if (!whole) return {Code::invalid_input, "a zero point is not a whole number from 0 to 15"};
  return {};
}

}  // namespace quoth
