#include "grouped.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "grouped_source.h"
#include "pack.h"
#include "parallel.h"

namespace quoth {
namespace {

constexpr int32_t kRows = kQuantRows;
constexpr int32_t kQ8Columns = kQuantGroup;
constexpr uint64_t kQ8RecordBytes = record_bytes(Type::q8);
// Rows of one thread's share. awq_gemm keeps 8 rows of a column in a word: so whole lines of the cache are used at
// once.
constexpr int32_t kShareRows = 128;

constexpr Status kBadScale = {Code::invalid_input, "a scale is not a finite number that f16 holds"};
constexpr Status kBadZero = {Code::invalid_input, "a zero point is not a whole number from 0 to 15"};

bool is_int4(Type type) {
  return type == Type::int4_g32 || type == Type::int4_g128;
}

int32_t row_of(const GroupedJob& job, int32_t n) {
  return job.row_order == nullptr ? n : job.row_order[n];
}

int32_t column_of(const GroupedJob& job, int32_t k) {
  return job.column_order == nullptr ? k : job.column_order[k];
}

// Whether the columns of every record of the result are of one group.
bool groups_fill_records(const GroupedJob& job, const GroupedSource& source) {
  const int32_t width = record_columns(job.to);
  for (int32_t first = 0; first < job.num_columns; first += width) {
    const int32_t group = source.group_of(column_of(job, first));
    for (int32_t k = first + 1; k < first + width; k++) {
      if (source.group_of(column_of(job, k)) != group) return false;
    }
  }
  return true;
}

// The row of the pieces that row n of the result is, where those after it follow and whole words begin; else -1.
int32_t first_of_run(const GroupedJob& job, int32_t n, int32_t rows) {
  if (job.row_order == nullptr) return n;
  for (int32_t r = 1; r < rows; r++) {
    if (job.row_order[n + r] != job.row_order[n] + r) return -1;
  }
  return job.row_order[n] % 8 == 0 && rows % 8 == 0 ? job.row_order[n] : -1;
}

// Vector i of the result's rows n .. n + rows - 1: eight columns as an int4 record has them. `first_row` of those rows.
void store_int4_codes(const GroupedJob& job, const GroupedSource& source, int32_t n, int32_t rows, int32_t first_row,
                      int32_t i, uint8_t* to) {
  uint32_t words[kRows] = {};  // rows beyond the last stay 0
  if (first_row >= 0) {
    source.int4_vector(first_row, rows, i, job.column_order, words);
  } else {
    for (int32_t r = 0; r < rows; r++) {
      for (int32_t m = 0; m < 8; m++) {
        const int32_t shift = m < 4 ? 8 * m : 8 * (m - 4) + 4;
        words[r] |= static_cast<uint32_t>(source.code(row_of(job, n + r), column_of(job, 8 * i + m))) << shift;
      }
    }
  }
  std::memcpy(to, words, sizeof words);
}

// The scales and zero points of one int4 record of rows n .. n + rows - 1.
Status store_int4_scales(const GroupedJob& job, const GroupedSource& source, int32_t n, int32_t rows, int32_t group,
                         uint8_t* scales) {
  uint8_t* zeros = scales + 2 * kRows;
  std::memset(scales, 0, 4 * kRows);
  for (int32_t r = 0; r < rows; r++) {
    const int32_t row = row_of(job, n + r);
    const uint16_t scale = half_from_float(source.scale(row, group));
    if ((scale & 0x7c00) == 0x7c00) return kBadScale;
    const int32_t zero = source.zero(row, group);
    if (zero < 0) return kBadZero;
    const uint16_t half_zero = half_from_float(static_cast<float>(zero));
    std::memcpy(scales + 2 * r, &scale, 2);
    std::memcpy(zeros + 2 * r, &half_zero, 2);
  }
  return {};
}

// The result's rows from `first` to `last`, kShareRows at most: all of them for eight columns, then for the next eight.
Status pack_int4_share(const GroupedJob& job, const GroupedSource& source, int32_t first, int32_t last, uint8_t* out) {
  constexpr int32_t kBlocks = kShareRows / kRows;
  const int32_t width = record_columns(job.to);
  const int32_t num_records = job.num_columns / width;
  const uint64_t bytes = static_cast<uint64_t>(record_bytes(job.to));
  const int32_t num_blocks = (last - first + kRows - 1) / kRows;
  int32_t first_rows[kBlocks];
  uint8_t* records[kBlocks];
  for (int32_t b = 0; b < num_blocks; b++) {
    const int32_t n = first + b * kRows;
    first_rows[b] = first_of_run(job, n, std::min(kRows, last - n));
    records[b] = out + static_cast<uint64_t>(n / kRows) * static_cast<uint64_t>(num_records) * bytes;
  }
  for (int32_t c = 0; c < num_records; c++) {
    for (int32_t i = 0; i < width / 8; i++) {
      for (int32_t b = 0; b < num_blocks; b++) {
        const int32_t n = first + b * kRows;
        store_int4_codes(job, source, n, std::min(kRows, last - n), first_rows[b], c * width / 8 + i,
                         records[b] + 64 * i);
      }
    }
    const int32_t group = source.group_of(column_of(job, c * width));
    for (int32_t b = 0; b < num_blocks; b++) {
      const int32_t n = first + b * kRows;
      uint8_t* scales = records[b] + kRows * width / 2;
      const Status status = store_int4_scales(job, source, n, std::min(kRows, last - n), group, scales);
      if (!status.ok()) return status;
      records[b] += bytes;
    }
  }
  return {};
}

Status pack_int4(const GroupedJob& job, const GroupedSource& source, uint8_t* out) {
  const int64_t num_shares = (static_cast<int64_t>(job.num_rows) + kShareRows - 1) / kShareRows;
  Status failed;
  std::atomic<bool> has_failed{false};
  for_each_block(num_shares, [&](int64_t share) {
    const int32_t first = static_cast<int32_t>(share) * kShareRows;
    const Status status = pack_int4_share(job, source, first, std::min(job.num_rows, first + kShareRows), out);
    if (!status.ok() && !has_failed.exchange(true)) failed = status;
    return status.ok();
  });
  return failed;
}

// One q8 record of rows n .. n + rows - 1. False in `fits` where code - zero passes 8 bits.
Status pack_q8_record(const GroupedJob& job, const GroupedSource& source, int32_t n, int32_t rows, int32_t first_column,
                      uint8_t* record, bool* fits) {
  std::memset(record, 128, kRows * kQ8Columns);
  uint8_t* scales = record + kRows * kQ8Columns;
  std::memset(scales, 0, 2 * kRows);
  const int32_t group = source.group_of(column_of(job, first_column));
  int32_t zeros[kRows];
  bool is_middle = true;  // 128 for all rows: then a code is the byte that is kept
  for (int32_t r = 0; r < rows; r++) {
    const int32_t row = row_of(job, n + r);
    const uint16_t scale = half_from_float(source.scale(row, group));
    zeros[r] = source.zero(row, group);
    if ((scale & 0x7c00) == 0x7c00) return kBadScale;
    if (zeros[r] < 0) return kBadZero;
    is_middle &= zeros[r] == 128;
    std::memcpy(scales + 2 * r, &scale, 2);
  }
  const int32_t first_row = first_of_run(job, n, rows);
  if (job.format.bits == 8 && is_middle && first_row >= 0) {
    for (int32_t i = 0; i < kQ8Columns / 4; i++) {
      uint32_t words[kRows];
      source.int8_vector(first_row, rows, first_column / 4 + i, job.column_order, words);
      std::memcpy(record + 64 * i, words, 4 * static_cast<size_t>(rows));
    }
    return {};
  }
  for (int32_t r = 0; r < rows; r++) {
    const int32_t row = row_of(job, n + r);
    for (int32_t k = 0; k < kQ8Columns; k++) {
      const int32_t byte = source.code(row, column_of(job, first_column + k)) - zeros[r] + 128;
      *fits &= byte >= 0 && byte <= 255;
      record[64 * (k / 4) + 4 * r + k % 4] = static_cast<uint8_t>(byte);
    }
  }
  return {};
}

// Keeps every code; `*fits` becomes false where code - zero passes 8 bits.
Status pack_q8(const GroupedJob& job, const GroupedSource& source, std::atomic<bool>* fits, uint8_t* out) {
  const int32_t num_records = job.num_columns / kQ8Columns;
  Status failed;
  std::atomic<bool> has_failed{false};
  for_each_block((static_cast<int64_t>(job.num_rows) + kRows - 1) / kRows, [&](int64_t block) {
    const int32_t n = static_cast<int32_t>(block) * kRows;
    const int32_t rows = std::min(kRows, job.num_rows - n);
    bool fits_here = true;
    for (int32_t c = 0; c < num_records && fits_here; c++) {
      uint8_t* record =
          out + (static_cast<uint64_t>(block) * static_cast<uint64_t>(num_records) + static_cast<uint64_t>(c)) *
                    kQ8RecordBytes;
      const Status status = pack_q8_record(job, source, n, rows, c * kQ8Columns, record, &fits_here);
      if (status.ok()) continue;
      if (!has_failed.exchange(true)) failed = status;
      return false;
    }
    if (!fits_here) *fits = false;
    return fits_here;
  });
  return failed;
}

// Row n of the result. (code - zero) has at most 9 bits and a scale at most 24: a float holds an f16's or bf16's
// product.
bool read_row(const GroupedJob& job, const GroupedSource& source, int32_t n, float* out) {
  const int32_t row = row_of(job, n);
  int32_t group = -1, zero = 0;
  float scale = 0;
  bool sound = true;
  for (int32_t k = 0; k < job.num_columns; k++) {
    const int32_t column = column_of(job, k);
    if (source.group_of(column) != group) {
      group = source.group_of(column);
      zero = source.zero(row, group);
      scale = source.scale(row, group);
      sound &= zero >= 0;
    }
    out[k] = static_cast<float>(source.code(row, column) - zero) * scale;
    sound &= std::isfinite(out[k]);
  }
  return sound;
}

// By way of float32, sixteen rows at a time: for types that keep no codes.
Status pack_numbers(const GroupedJob& job, const GroupedSource& source, uint8_t* out) {
  const uint64_t columns = static_cast<uint64_t>(job.num_columns);
  const uint64_t bytes_of_block = packed_bytes(job.to, kRows, job.num_columns);
  Status failed;
  std::atomic<bool> has_failed{false};
  for_each_block((static_cast<int64_t>(job.num_rows) + kRows - 1) / kRows, [&](int64_t block) {
    const int32_t n = static_cast<int32_t>(block) * kRows;
    const int32_t rows = std::min(kRows, job.num_rows - n);
    std::vector<float> numbers(static_cast<uint64_t>(rows) * columns);
    Status status;
    for (int32_t r = 0; r < rows && status.ok(); r++) {
      if (!read_row(job, source, n + r, numbers.data() + static_cast<uint64_t>(r) * columns)) {
        status = {Code::invalid_input, "a weight is not a finite number"};
      }
    }
    if (status.ok()) {
      PackJob part;
      part.bytes = reinterpret_cast<const uint8_t*>(numbers.data());
      part.size_bytes = numbers.size() * sizeof(float);
      part.from = find_block_format("f32");
      part.to = job.to;
      part.num_rows = rows;
      part.num_columns = job.num_columns;
      part.codebook = job.codebook;
      status = pack(part, out + static_cast<uint64_t>(block) * bytes_of_block);
    }
    if (status.ok()) return true;
    if (!has_failed.exchange(true)) failed = status;
    return false;
  });
  return failed;
}

}  // namespace

bool parse_grouped_format(std::string_view name, GroupedFormat* format) {
  std::string_view parts[4];
  for (int i = 0; i < 4; i++) {
    const size_t end = i < 3 ? name.find('-') : name.size();
    if (end == std::string_view::npos) return false;
    parts[i] = name.substr(0, end);
    if (i < 3) name.remove_prefix(end + 1);
  }
  constexpr std::string_view kLayouts[] = {"awq_gemm", "awq_gemv",   "awq_gemv_fast",       "gptq",
                                           "gptq_v2",  "compressed", "compressed_symmetric"};
  constexpr std::string_view kScales[] = {"f16", "bf16", "f32"};
  const auto layout = std::find(std::begin(kLayouts), std::end(kLayouts), parts[0]);
  const auto scales = std::find(std::begin(kScales), std::end(kScales), parts[3]);
  if (layout == std::end(kLayouts) || scales == std::end(kScales)) return false;
  const auto read = [](std::string_view text, int32_t* number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
    return error == std::errc{} && end == text.data() + text.size() && *number > 0;
  };
  if (!read(parts[1], &format->bits) || !read(parts[2], &format->group_size)) return false;
  format->layout = static_cast<GroupedLayout>(layout - std::begin(kLayouts));
  format->scales = static_cast<ScaleType>(scales - std::begin(kScales));
  return true;
}

uint64_t grouped_bytes(const GroupedFormat& format, int64_t num_rows, int64_t num_columns) {
  GroupedSizes sizes;
  if (!grouped_sizes(format, num_rows, num_columns, &sizes)) return 0;
  const uint64_t total = sizes.codes + sizes.zeros + sizes.scales + sizes.groups;
  return total > (uint64_t{1} << 53) ? 0 : total;
}

Status check_grouped_job(const GroupedJob& job) {
  const uint64_t bytes = grouped_bytes(job.format, job.checkpoint_rows, job.num_columns);
  if (bytes == 0) return {Code::invalid_input, "the layout does not allow this shape"};
  if (bytes != job.size_bytes) return {Code::invalid_input, "the bytes are not as many as the shape asks for"};
  if (job.to == Type::f8 || job.to == Type::i32)
    return {Code::unsupported, "weights in groups do not become f8 or i32"};
  if (packed_bytes(job.to, job.num_rows, job.num_columns) == 0) {
    return {Code::invalid_input, "the columns are no multiple of what the plan's type wants"};
  }
  if (job.to == Type::q4 && job.codebook == nullptr) return {Code::invalid_input, "q4 needs a codebook"};
  if (job.row_order == nullptr) {
    if (job.num_rows != job.checkpoint_rows) return {Code::invalid_input, "the rows are others than the checkpoint's"};
  } else {
    for (int32_t n = 0; n < job.num_rows; n++) {
      if (job.row_order[n] < 0 || job.row_order[n] >= job.checkpoint_rows) {
        return {Code::invalid_input, "the order names a row that the tensor has not"};
      }
    }
  }
  if (job.column_order != nullptr) {
    for (int32_t k = 0; k < job.num_columns; k++) {
      if (job.column_order[k] < 0 || job.column_order[k] >= job.num_columns) {
        return {Code::invalid_input, "the order names a column that the tensor has not"};
      }
    }
  }
  const GroupedSource source(job);
  const int32_t num_groups = (job.num_columns - 1) / job.format.group_size + 1;
  for (int32_t k = 0; k < job.num_columns; k++) {
    const int32_t group = source.group_of(k);
    if (group < 0 || group >= num_groups) return {Code::invalid_input, "a column is of a group that is not there"};
  }
  if (!is_int4(job.to)) return {};
  if (job.format.bits != 4) return {Code::invalid_input, "int4 holds no codes of 8 bits"};
  if (!groups_fill_records(job, source)) {
    return {Code::invalid_input, "the columns of an int4 record are of several groups"};
  }
  return {};
}

Status pack_grouped(const GroupedJob& job, uint8_t* out) {
  if (const Status status = check_grouped_job(job); !status.ok()) return status;
  const GroupedSource source(job);
  if (is_int4(job.to)) return pack_int4(job, source, out);
  if (job.to == Type::q8 && groups_fill_records(job, source)) {
    std::atomic<bool> fits{true};
    const Status status = pack_q8(job, source, &fits, out);
    if (fits || !status.ok()) return status;
  }
  return pack_numbers(job, source, out);
}

Status grouped_to_float32(const GroupedJob& job, float* out) {
  if (const Status status = check_grouped_job(job); !status.ok()) return status;
  const GroupedSource source(job);
  for (int32_t n = 0; n < job.num_rows; n++) {
    if (!read_row(job, source, n, out + static_cast<uint64_t>(n) * static_cast<uint64_t>(job.num_columns))) {
      return {Code::invalid_input, "a weight is not a finite number"};
    }
  }
  return {};
}

}  // namespace quoth
