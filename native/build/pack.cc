#include "pack.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <string_view>
#include <system_error>
#include <thread>

#include "small_types.h"

namespace quoth {
namespace {

constexpr int kRows = kQuantRows;
constexpr int kColumns = kQuantGroup;

// A squared error below this part of the group's energy is rounding of float32, not loss: eight bits above 2^-48.
constexpr float kExact = 1e-12f;

struct Group {
  uint16_t scale;
  uint8_t codes[kColumns];  // q8: value + 128; q4: index into the codebook
};

// The codebook in ascending order of its values, with the thresholds between neighbours.
struct Codebook {
  float values[16];
  float thresholds[15];
  uint8_t indices[16];

  explicit Codebook(const int8_t* codebook) {
    uint8_t order[16];
    for (int i = 0; i < 16; i++) order[i] = static_cast<uint8_t>(i);
    std::stable_sort(order, order + 16, [&](uint8_t a, uint8_t b) { return codebook[a] < codebook[b]; });
    for (int i = 0; i < 16; i++) {
      indices[i] = order[i];
      values[i] = codebook[order[i]];
      if (i > 0) thresholds[i - 1] = (values[i - 1] + values[i]) / 2;
    }
  }

  // Positions, in ascending order of the values, of those nearest to x[j] * inverse. Loops without branches: the
  // compiler turns them into vectors.
  void nearest(const float* x, float inverse, int32_t* positions) const {
    for (int j = 0; j < kColumns; j++) positions[j] = 0;
    for (float threshold : thresholds) {
      for (int j = 0; j < kColumns; j++) positions[j] += x[j] * inverse > threshold ? 1 : 0;
    }
  }
};

float rounded_scale(float scale, uint16_t* half) {
  *half = half_from_float(scale);
  return float_from_half(*half);
}

// The squared error of x in codes of `scale`, and those codes as positions in the codebook.
float fit_q4(const float* x, const Codebook& codebook, float scale, int32_t* positions) {
  codebook.nearest(x, 1 / scale, positions);
  float error = 0;
  for (int j = 0; j < kColumns; j++) {
    const float difference = x[j] - scale * codebook.values[positions[j]];
    error += difference * difference;
  }
  return error;
}

void quantize_q4(const float* x, const Codebook& codebook, Group* group) {
  float largest = 0, energy = 0;
  for (int j = 0; j < kColumns; j++) {
    if (std::fabs(x[j]) > std::fabs(largest)) largest = x[j];
    energy += x[j] * x[j];
  }
  // The codes are chosen for the scale before its rounding: they are the checkpoint's own where they are exact.
  float best_scale = 0, best_error = INFINITY;
  int32_t best_positions[kColumns] = {};
  // The outer codes first: they are the usual place of a group's largest value.
  for (int outer = 0; outer < 16 && largest != 0; outer++) {
    const int position = outer % 2 == 0 ? outer / 2 : 15 - outer / 2;
    if (codebook.values[position] == 0) continue;
    const float scale = largest / codebook.values[position];
    if (scale == 0 || !std::isfinite(1 / scale)) continue;  // too small to divide by: the group counts as zero
    int32_t positions[kColumns];
    const float error = fit_q4(x, codebook, scale, positions);
    if (error < best_error) {
      best_error = error;
      best_scale = scale;
      std::memcpy(best_positions, positions, sizeof positions);
    }
    if (best_error <= kExact * energy) break;
  }
  group->scale = half_from_float(best_scale);
  for (int j = 0; j < kColumns; j++) group->codes[j] = codebook.indices[best_positions[j]];
}

void quantize_q8(const float* x, int native_divisor, Group* group) {
  float largest = 0;
  for (int j = 0; j < kColumns; j++) largest = std::max(largest, std::fabs(x[j]));
  // The format's own codes are whole multiples of largest / native_divisor: if all are, keep them.
  float scale = 0;
  bool native = native_divisor != 0 && largest != 0;
  if (native) {
    scale = largest / static_cast<float>(native_divisor);
    for (int j = 0; j < kColumns && native; j++) {
      const float code = x[j] / scale;
      native = std::fabs(code - std::nearbyint(code)) < 1e-4f;
    }
  }
  if (!native) scale = largest / 127;
  scale = rounded_scale(scale, &group->scale);
  // A scale that rounds to zero leaves a group of zeros.
  const float inverse = scale == 0 ? 0 : 1 / scale;
  for (int j = 0; j < kColumns; j++) {
    const float code = std::clamp(std::nearbyint(x[j] * inverse), -127.0f, 127.0f);
    group->codes[j] = static_cast<uint8_t>(static_cast<int>(code) + 128);
  }
}

// One record: the group of row r goes to the places that one 64-byte vector per 4 (q8) or 8 (q4) columns wants.
void store_q8(const Group& group, int r, uint8_t* record) {
  for (int k = 0; k < kColumns; k++) record[64 * (k / 4) + 4 * r + k % 4] = group.codes[k];
  std::memcpy(record + kRows * kColumns + 2 * r, &group.scale, 2);
}

void store_q4(const Group& group, int r, uint8_t* record) {
  for (int i = 0; i < kColumns / 8; i++) {
    for (int j = 0; j < 4; j++) {
      const uint8_t low = group.codes[8 * i + j], high = group.codes[8 * i + 4 + j];
      record[64 * i + 4 * r + j] = static_cast<uint8_t>(low | high << 4);
    }
  }
  std::memcpy(record + kRows * kColumns / 2 + 2 * r, &group.scale, 2);
}

struct Reader {
  const PackJob& job;
  uint64_t row_bytes;

  explicit Reader(const PackJob& job)
      : job(job),
        row_bytes(static_cast<uint64_t>(job.num_columns / job.from->block_values) *
                  static_cast<uint64_t>(job.from->block_bytes)) {}

  // The checkpoint's bytes of row n of the result.
  const uint8_t* row(int32_t n) const {
    return job.bytes + static_cast<uint64_t>(job.row_order == nullptr ? n : job.row_order[n]) * row_bytes;
  }

  // Row n of the result as numbers; false when a value is not finite.
  bool read(int32_t n, float* out) const {
    job.from->to_float(row(n), job.num_columns / job.from->block_values, out);
    bool finite = true;
    for (int32_t k = 0; k < job.num_columns; k++) finite &= std::isfinite(out[k]);
    return finite;
  }
};

// Row r of a tile of records, from its numbers or, where the checkpoint has them, its own codes. False when a scale is
// too large for f16.
bool pack_int4_row(const PackJob& job, const uint8_t* bytes, const float* x, int32_t r, uint8_t* tile) {
  const int32_t columns = record_columns(job.to);
  const bool keeps_codes = columns == 32 && job.from->to_int4 != nullptr;
  Int4Group groups[8];  // of a block of at most 256 values
  for (int32_t g = 0; g < job.num_columns / columns; g++) {
    Int4Group* group = groups;
    if (keeps_codes) {
      const int32_t in_block = job.from->block_values / 32;
      if (g % in_block == 0)
        job.from->to_int4(bytes + static_cast<int64_t>(g / in_block) * job.from->block_bytes, groups);
      group += g % in_block;
      if (!std::isfinite(float_from_half(group->scale))) return false;
    } else if (!round_int4(x + static_cast<int64_t>(g) * columns, columns, group)) {
      return false;
    }
    store_int4(*group, columns, r, tile + static_cast<int64_t>(g) * record_bytes(job.to));
  }
  return true;
}

// The levels of the types whose blocks are an f16 scale and 32 nibbles, nibble 0 first: their codes need no search.
struct NibbleFormat {
  std::string_view name;
  int8_t levels[16];
};
constexpr NibbleFormat kNibbleFormats[] = {
    {"q4_0", {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}},
    {"iq4_nl", {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}},
};

// Whether the checkpoint's nibbles are indices into the job's codebook, so that they and the scales are taken as they
// are.
bool keeps_nibbles(const PackJob& job) {
  for (const NibbleFormat& format : kNibbleFormats) {
    if (job.to == Type::q4 && job.from->name == format.name) return std::memcmp(job.codebook, format.levels, 16) == 0;
  }
  return false;
}

// Row r of a tile of q4 records from such blocks. False when a scale is not finite.
bool keep_nibbles(const uint8_t* blocks, int32_t num_groups, int32_t r, uint8_t* tile) {
  for (int32_t g = 0; g < num_groups; g++) {
    const uint8_t* block = blocks + static_cast<int64_t>(g) * 18;
    Group group;
    std::memcpy(&group.scale, block, 2);
    if (!std::isfinite(float_from_half(group.scale))) return false;
    for (int j = 0; j < kColumns / 2; j++) {
      group.codes[j] = block[2 + j] & 15;
      group.codes[j + kColumns / 2] = block[2 + j] >> 4;
    }
    store_q4(group, r, tile + static_cast<int64_t>(g) * record_bytes(Type::q4));
  }
  return true;
}

// Rows n .. n + 15 of the result. `scratch` is [16, K].
bool pack_block(const PackJob& job, const Reader& reader, const Codebook* codebook, int32_t n, float* scratch,
                uint8_t* out) {
  const int32_t rows = std::min(kRows, job.num_rows - n);
  const uint64_t columns = static_cast<uint64_t>(job.num_columns);
  if (keeps_nibbles(job)) {
    const int32_t num_groups = job.num_columns / kColumns;
    const uint64_t tile_bytes = static_cast<uint64_t>(num_groups) * static_cast<uint64_t>(record_bytes(job.to));
    uint8_t* tile = out + static_cast<uint64_t>(n / kRows) * tile_bytes;
    if (rows < kRows) std::memset(tile, 0, tile_bytes);  // padding rows: scale 0
    for (int32_t r = 0; r < rows; r++) {
      if (!keep_nibbles(reader.row(n + r), num_groups, r, tile)) return false;
    }
    return true;
  }
  for (int32_t r = 0; r < rows; r++) {
    if (!reader.read(n + r, scratch + static_cast<uint64_t>(r) * columns)) return false;
  }
  if (job.to == Type::f32) {
    std::memcpy(out + static_cast<uint64_t>(n) * columns * 4, scratch, static_cast<uint64_t>(rows) * columns * 4);
    return true;
  }
  if (job.to == Type::f16) {
    uint8_t* to = out + static_cast<uint64_t>(n) * columns * 2;
    for (uint64_t i = 0; i < static_cast<uint64_t>(rows) * columns; i++) {
      const uint16_t half = half_from_float(scratch[i]);
      std::memcpy(to + 2 * i, &half, 2);
    }
    return true;
  }
  if (job.to == Type::f8) {
    float* scales = reinterpret_cast<float*>(out + f8_scales_offset(job.num_rows, job.num_columns));
    for (int32_t r = 0; r < rows; r++) {
      float scale = 0;
      round_float8(scratch + static_cast<uint64_t>(r) * columns, job.num_columns,
                   out + static_cast<uint64_t>(n + r) * columns, &scale);
      std::memcpy(scales + n + r, &scale, sizeof scale);
    }
    return true;
  }
  if (job.to == Type::int4_g32 || job.to == Type::int4_g128) {
    const uint64_t tile_bytes =
        columns / static_cast<uint64_t>(record_columns(job.to)) * static_cast<uint64_t>(record_bytes(job.to));
    uint8_t* tile = out + static_cast<uint64_t>(n / kRows) * tile_bytes;
    if (rows < kRows) std::memset(tile, 0, tile_bytes);  // padding rows: scale 0
    for (int32_t r = 0; r < rows; r++) {
      if (!pack_int4_row(job, reader.row(n + r), scratch + static_cast<uint64_t>(r) * columns, r, tile)) return false;
    }
    return true;
  }
  const bool q8 = job.to == Type::q8;
  const int32_t num_groups = job.num_columns / kColumns;
  for (int32_t g = 0; g < num_groups; g++) {
    uint8_t* record =
        out + (static_cast<uint64_t>(n / kRows) * static_cast<uint64_t>(num_groups) + static_cast<uint64_t>(g)) *
                  static_cast<uint64_t>(record_bytes(job.to));
    for (int32_t r = 0; r < kRows; r++) {
      Group group{};
      if (q8) std::memset(group.codes, 128, sizeof group.codes);  // padding rows: value 0, scale 0
      if (r < rows) {
        const float* x = scratch + static_cast<uint64_t>(r) * columns + static_cast<uint64_t>(g) * kColumns;
        if (q8) {
          quantize_q8(x, job.from->native_divisor, &group);
        } else {
          quantize_q4(x, *codebook, &group);
        }
      }
      q8 ? store_q8(group, r, record) : store_q4(group, r, record);
    }
  }
  return true;
}

}  // namespace

Status check_job(const PackJob& job) {
  if (job.from == nullptr) return {Code::unsupported, "the checkpoint's type is not read here"};
  if (job.num_rows <= 0 || job.num_columns <= 0) return {Code::invalid_input, "a tensor has no rows or no columns"};
  // With an order the result may have other rows than the checkpoint, so only whole rows and the order's range count.
  const uint64_t row_bytes = checkpoint_bytes(*job.from, 1, job.num_columns);
  if (row_bytes == 0) return {Code::invalid_input, "the columns are no multiple of the checkpoint type's block"};
  if (job.size_bytes % row_bytes != 0) return {Code::invalid_input, "the bytes are no whole number of rows"};
  const uint64_t checkpoint_rows = job.size_bytes / row_bytes;
  if (job.row_order == nullptr) {
    if (checkpoint_rows != static_cast<uint64_t>(job.num_rows)) {
      return {Code::invalid_input, "the bytes are not as many as the shape asks for"};
    }
  } else {
    for (int32_t n = 0; n < job.num_rows; n++) {
      if (job.row_order[n] < 0 || static_cast<uint64_t>(job.row_order[n]) >= checkpoint_rows) {
        return {Code::invalid_input, "the order names a row that the tensor has not"};
      }
    }
  }
  if (packed_bytes(job.to, job.num_rows, job.num_columns) == 0) {
    return {Code::invalid_input, job.to == Type::i32             ? "i32 needs one row"
                                 : record_columns(job.to) == 128 ? "int4_g128 needs a multiple of 128 columns"
                                                                 : "this type needs a multiple of 32 columns"};
  }
  if (job.to == Type::i32 && std::string_view(job.from->name) != "i32") {
    return {Code::invalid_input, "whole numbers are packed from i32 only"};
  }
  if (job.to == Type::q4 && job.codebook == nullptr) return {Code::invalid_input, "q4 needs a codebook"};
  return {};
}

uint64_t checkpoint_bytes(const BlockFormat& format, int64_t num_rows, int64_t num_columns) {
  if (num_rows <= 0 || num_columns <= 0 || num_rows > INT32_MAX || num_columns > INT32_MAX) return 0;
  if (num_columns % format.block_values != 0) return 0;
  const uint64_t row_bytes =
      static_cast<uint64_t>(num_columns / format.block_values) * static_cast<uint64_t>(format.block_bytes);
  const uint64_t limit = uint64_t{1} << 53;
  return row_bytes > limit / static_cast<uint64_t>(num_rows) ? 0 : row_bytes * static_cast<uint64_t>(num_rows);
}

uint64_t packed_bytes(Type type, int64_t num_rows, int64_t num_columns) {
  if (num_rows <= 0 || num_columns <= 0 || num_rows > INT32_MAX || num_columns > INT32_MAX) return 0;
  const uint64_t rows = static_cast<uint64_t>(num_rows), columns = static_cast<uint64_t>(num_columns);
  if (type == Type::f32) return rows * columns * 4;
  if (type == Type::f16) return rows * columns * 2;
  if (type == Type::i32) return rows == 1 ? columns * 4 : 0;
  if (type == Type::f8) return static_cast<uint64_t>(f8_scales_offset(num_rows, num_columns)) + rows * 4;
  const uint64_t group = static_cast<uint64_t>(record_columns(type));
  if (columns % group != 0) return 0;
  return (rows + kRows - 1) / kRows * (columns / group) * static_cast<uint64_t>(record_bytes(type));
}

Status pack(const PackJob& job, uint8_t* out) {
  if (const Status status = check_job(job); !status.ok()) return status;
  const Reader reader(job);
  if (job.to == Type::i32) {
    std::memcpy(out, reader.row(0), static_cast<size_t>(job.num_columns) * 4);
    return {};
  }
  if (job.to == Type::f8) {
    const int64_t end = int64_t{job.num_rows} * job.num_columns;
    std::memset(out + end, 0, static_cast<size_t>(f8_scales_offset(job.num_rows, job.num_columns) - end));
  }
  const int8_t zeros[16] = {};
  const Codebook codebook(job.codebook == nullptr ? zeros : job.codebook);
  const int32_t num_blocks = (job.num_rows - 1) / kRows + 1;
  std::atomic<int32_t> next{0};
  std::atomic<bool> finite{true};
  const size_t scratch_floats = static_cast<size_t>(kRows) * static_cast<size_t>(job.num_columns);
  // One tensor is packed at a time, so it may take what the machine has; eight threads read as fast as disks do.
  const int32_t cores = static_cast<int32_t>(std::thread::hardware_concurrency());
  const int32_t num_workers = std::max(1, std::min({cores, 8, num_blocks / 8}));
  std::vector<float> scratch(scratch_floats * static_cast<size_t>(num_workers));
  const auto work = [&](int32_t worker) {
    while (finite.load(std::memory_order_relaxed)) {
      const int32_t block = next.fetch_add(1);
      if (block >= num_blocks) return;
      float* own = scratch.data() + scratch_floats * static_cast<size_t>(worker);
      if (!pack_block(job, reader, &codebook, block * kRows, own, out)) finite = false;
    }
  };
  std::vector<std::thread> helpers;
  helpers.reserve(static_cast<size_t>(num_workers));
  try {
    for (int32_t i = 1; i < num_workers; i++) helpers.emplace_back(work, i);
  } catch (const std::system_error&) {
    // No more threads to be had: those that run, and this one, do the work.
  }
  work(0);
  for (std::thread& helper : helpers) helper.join();
  if (!finite) return {Code::invalid_input, "a weight is not a finite number, or too large for the type"};
  return {};
}

Status to_float32(const PackJob& job, float* out) {
  if (const Status status = check_job(job); !status.ok()) return status;
  const Reader reader(job);
  for (int32_t n = 0; n < job.num_rows; n++) {
    if (!reader.read(n, out + static_cast<uint64_t>(n) * static_cast<uint64_t>(job.num_columns))) {
      return {Code::invalid_input, "a weight is not a finite number"};
    }
  }
  return {};
}

}  // namespace quoth
