// Attention over shuffled kv pages and over a step's own rows, against float64; kv pages written as rows are.
#include <tuple>

#include "harness.h"

namespace quoth::test {
namespace {

// Scores, exponentials and sums in f32; relative to the largest value that a lane sees, more where scores are large.
constexpr double kAttention = 1e-5;
// Where queries and probabilities are rounded to f16: relative to the largest value, and of all results together.
constexpr double kHalfAttention = 6e-4, kHalfAttentionAll = 1e-3;
constexpr int32_t kFewRows = 8;  // sequences of more rows go to another kernel there

// E4M3 by arithmetic.
double float8_value(uint8_t byte) {
  const int32_t exponent = byte >> 3 & 15, fraction = byte & 7;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
  return byte & 0x80 ? -magnitude : magnitude;
}
uint8_t nearest_float8(double value) {
  uint8_t best = 0;
  for (int32_t byte = 0; byte < 0x7f; ++byte) {
    const double off = std::abs(float8_value(static_cast<uint8_t>(byte)) - std::abs(value));
    const double least = std::abs(float8_value(best) - std::abs(value));
    if (off < least || (off == least && byte % 2 == 0)) best = static_cast<uint8_t>(byte);
  }
  return std::signbit(value) ? best | 0x80 : best;
}

// One token's key or value of one head in the page's block, as tensor.h states it; gives what it then means.
std::vector<double> put_token(Type type, uint8_t* block, int32_t token, const std::vector<float>& columns) {
  const size_t d = columns.size();
  std::vector<double> means(d);
  if (type == Type::f32) {
    std::memcpy(block + sizeof(float) * d * static_cast<size_t>(token), columns.data(), sizeof(float) * d);
    return {columns.begin(), columns.end()};
  }
  if (type == Type::f16) {
    for (size_t i = 0; i < d; ++i) {
      const uint16_t half = nearest_half(columns[i]);
      std::memcpy(block + 2 * (d * static_cast<size_t>(token) + i), &half, 2);
      means[i] = half_value(half);
    }
    return means;
  }
  float largest = 0;
  for (const float column : columns) largest = std::max(largest, std::abs(column));
  const uint16_t half = nearest_half(largest / (type == Type::i8 ? 127.0f : 448.0f));
  std::memcpy(block + 64 * d + 2 * static_cast<size_t>(token), &half, 2);
  const double scale = half_value(half);
  for (size_t i = 0; i < d; ++i) {
    uint8_t& byte = block[d * static_cast<size_t>(token) + i];
    const float ratio = scale > 0 ? columns[i] / static_cast<float>(scale) : 0;
    if (type == Type::i8) {
      const double whole = std::clamp(std::nearbyint(ratio), -127.0f, 127.0f);
      byte = static_cast<uint8_t>(static_cast<int8_t>(whole));
      means[i] = scale * whole;
    } else {
      byte = nearest_float8(ratio);
      means[i] = scale * float8_value(byte);
    }
  }
  return means;
}

struct Sequence {
  int32_t num_before;  // tokens in the pages already
  int32_t num_rows;    // rows of this step
};

struct AttentionCase {
  const char* name;
  Type type;
  int32_t num_heads, num_kv_heads, head_size, window;
  std::vector<Sequence> sequences;
  Shape shape = Shape::normal;
  float soft_cap = 0;
  bool has_slopes = false;
};

// A step over a pool of kv pages in shuffled order. All that no token was written to is NaN: reading it shows.
struct Step {
  Attention attention;
  Batch batch;
  KvPages pages;
  std::vector<int32_t> positions, first_row, page_table;
  std::vector<float> slopes;  // [H]
  std::unique_ptr<Guarded<uint8_t>> keys, values;
  std::vector<std::vector<double>> exact_keys, exact_values;  // per sequence [tokens, G, d]
  std::unique_ptr<Matrix> queries;
};

Step make_step(const AttentionCase& c, uint64_t seed) {
  Random random(seed);
  Step step;
  step.attention = {c.num_heads, c.num_kv_heads, c.head_size, 1.0f / std::sqrt(static_cast<float>(c.head_size)),
                    c.window,    c.soft_cap};
  if (c.has_slopes) {
    for (int32_t head = 0; head < c.num_heads; ++head) {
      step.slopes.push_back(std::pow(2.0f, -8.0f * static_cast<float>(head + 1) / static_cast<float>(c.num_heads)));
    }
    step.attention.slopes = step.slopes.data();
  }
  int32_t longest = 1, num_pages = 3;
  step.first_row = {0};
  for (const Sequence& sequence : c.sequences) {
    const int32_t pages = (sequence.num_before + sequence.num_rows + 63) / 64;
    longest = std::max(longest, pages);
    num_pages += pages;
    step.first_row.push_back(step.first_row.back() + sequence.num_rows);
    for (int32_t r = 0; r < sequence.num_rows; ++r) step.positions.push_back(sequence.num_before + r);
  }
  std::vector<int32_t> order(static_cast<size_t>(num_pages));
  for (int32_t i = 0; i < num_pages; ++i) order[i] = i;
  for (int32_t i = num_pages - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
  const int64_t width = static_cast<int64_t>(c.num_kv_heads) * c.head_size;
  const size_t block_bytes = static_cast<size_t>(kv_block_bytes(c.type, c.head_size));
  const size_t pool = static_cast<size_t>(num_pages) * static_cast<size_t>(c.num_kv_heads) * block_bytes;
  step.keys = std::make_unique<Guarded<uint8_t>>(pool);
  step.values = std::make_unique<Guarded<uint8_t>>(pool);
  std::memset(step.keys->data(), 0xff, pool);
  std::memset(step.values->data(), 0xff, pool);
  step.page_table.assign(c.sequences.size() * longest, -1);
  size_t next_page = 0;
  for (size_t b = 0; b < c.sequences.size(); ++b) {
    const int32_t num_tokens = c.sequences[b].num_before + c.sequences[b].num_rows;
    std::vector<double>& exact_keys = step.exact_keys.emplace_back(static_cast<size_t>(num_tokens * width));
    std::vector<double>& exact_values = step.exact_values.emplace_back(static_cast<size_t>(num_tokens * width));
    std::vector<float> key(static_cast<size_t>(c.head_size)), value(key);
    for (int32_t token = 0; token < num_tokens; ++token) {
      if (token % 64 == 0) step.page_table[b * longest + token / 64] = order[next_page++];
      const int64_t page = step.page_table[b * longest + token / 64];
      for (int64_t head = 0; head < c.num_kv_heads; ++head) {
        for (int32_t i = 0; i < c.head_size; ++i) {
          key[i] = random.normal() + (c.shape == Shape::biased ? 2 : 0);
          value[i] = draw(random, c.shape);
        }
        const size_t block = static_cast<size_t>(page * c.num_kv_heads + head) * block_bytes;
        const std::vector<double> keys = put_token(c.type, step.keys->data() + block, token % 64, key);
        const std::vector<double> values = put_token(c.type, step.values->data() + block, token % 64, value);
        std::copy(keys.begin(), keys.end(), exact_keys.begin() + token * width + head * c.head_size);
        std::copy(values.begin(), values.end(), exact_values.begin() + token * width + head * c.head_size);
      }
    }
  }
  step.pages = {c.type, step.keys->data(), step.values->data(), c.num_kv_heads, c.head_size};
  step.batch.num_tokens = step.first_row.back();
  step.batch.positions = step.positions.data();
  step.batch.num_sequences = static_cast<int32_t>(c.sequences.size());
  step.batch.first_row = step.first_row.data();
  step.batch.page_table = step.page_table.data();
  step.batch.page_table_stride = longest;
  step.queries = std::make_unique<Matrix>(step.batch.num_tokens, c.num_heads * c.head_size);
  step.queries->fill(random, c.shape == Shape::outliers ? Shape::outliers : Shape::normal);
  return step;
}

// softmax(score) v of one lane, in float64, score = q . k * scale, capped, with `slope` for each key after the last;
// `largest` is the largest |v| seen.
std::vector<double> exact_lane(const float* query, const std::vector<double>& keys, const std::vector<double>& values,
                               int64_t width, int64_t column, int32_t first, int32_t end, const Attention& shape,
                               double slope, double& largest) {
  std::vector<double> scores, out(static_cast<size_t>(shape.head_size));
  double maximum = -INFINITY, total = 0;
  for (int32_t key = first; key < end; ++key) {
    double score = 0;
    for (int32_t i = 0; i < shape.head_size; ++i) score += query[i] * keys[key * width + column + i];
    score *= shape.scale;
    if (shape.soft_cap > 0) score = shape.soft_cap * std::tanh(score / shape.soft_cap);
    scores.push_back(score + slope * (key - end + 1));
    maximum = std::max(maximum, scores.back());
  }
  for (double& score : scores) total += score = std::exp(score - maximum);
  largest = 0;
  for (int32_t key = first; key < end; ++key) {
    for (int32_t i = 0; i < shape.head_size; ++i) {
      const double value = values[key * width + column + i];
      out[i] += scores[key - first] / total * value;
      largest = std::max(largest, std::abs(value));
    }
  }
  return out;
}

bool rounds_to_half(const std::string& set, Type type, int32_t head_size) {
  return set == "cuda" && type != Type::f32 && head_size % 8 == 0;
}
std::vector<float> rounded(const float* from, int32_t count) {
  std::vector<float> to(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) to[i] = static_cast<float>(half_value(nearest_half(from[i])));
  return to;
}

// Some rows of a sequence as a step of their own, over the same pages.
struct Alone {
  int32_t rows[2];
  Batch batch;
  Alone(Step& step, size_t sequence, int32_t first, int32_t count) : rows{0, count} {
    batch = step.batch;
    batch.num_tokens = count;
    batch.num_sequences = 1;
    batch.positions = step.positions.data() + first;
    batch.first_row = rows;
    batch.page_table = step.page_table.data() + sequence * static_cast<size_t>(step.batch.page_table_stride);
  }
  Alone(const Alone&) = delete;
};

std::string check_attention(const std::string& set, const AttentionCase& c, uint64_t seed) {
  Step step = make_step(c, seed);
  const int32_t out_width = c.num_heads * c.head_size;
  Matrix out(step.batch.num_tokens, out_width);
  Backend& device = backend(set);
  const Status status =
      device.ops->attention(device.device, step.queries->rows(), &step.attention, &step.batch, step.pages, out.rows());
  if (!status.ok()) return status.message;
  const bool is_half = rounds_to_half(set, c.type, c.head_size);
  const int64_t width = static_cast<int64_t>(c.num_kv_heads) * c.head_size;
  double difference = 0, size = 0;
  for (size_t b = 0; b < c.sequences.size(); ++b) {
    for (int32_t t = step.first_row[b]; t < step.first_row[b + 1]; ++t) {
      const int32_t end = step.positions[t] + 1;
      const int32_t first = c.window > 0 ? std::max(0, end - c.window) : 0;
      for (int32_t head = 0; head < c.num_heads; ++head) {
        const float* query = step.queries->row(t) + head * c.head_size;
        const std::vector<float> half_query = rounded(query, c.head_size);
        const int64_t column = head / (c.num_heads / c.num_kv_heads) * c.head_size;
        double largest = 0, query_size = 0;
        const auto exact_of = [&](const float* from) {
          return exact_lane(from, step.exact_keys[b], step.exact_values[b], width, column, first, end, step.attention,
                            c.has_slopes ? step.slopes[head] : 0.0f, largest);
        };
        const std::vector<double> exact = exact_of(query);
        const std::vector<double> expected = is_half ? exact_of(half_query.data()) : exact;
        for (int32_t i = 0; i < c.head_size; ++i)
          query_size = std::max(query_size, std::abs(static_cast<double>(query[i])));
        const double tolerance = largest * (kAttention * (1 + query_size) + (is_half ? kHalfAttention : 0));
        for (int32_t i = 0; i < c.head_size; ++i) {
          const double got = out.at(t, head * c.head_size + i);
          const std::string why = compare("out", t, head * c.head_size + i, got, expected[i], tolerance);
          if (!why.empty()) return why;
          difference += (got - exact[i]) * (got - exact[i]);
          size += exact[i] * exact[i];
        }
      }
      // The row in a step of its own, over the same pages: as one row, or as one of so many that the same kernel runs.
      const int32_t num_rows = step.first_row[b + 1] - step.first_row[b];
      const int32_t count = is_half && num_rows > kFewRows ? kFewRows + 1 : 1;
      const int32_t start = std::max(step.first_row[b], std::min(t, step.first_row[b + 1] - count));
      Alone alone(step, b, start, count);
      Matrix single(count, out_width);
      Rows queries{step.queries->row(start), count, out_width, step.queries->rows().stride};
      Backend& one = backend(set, t % 2 == 0 ? 1 : 3);
      if (!one.ops->attention(one.device, queries, &step.attention, &alone.batch, step.pages, single.rows()).ok())
        return "failed alone";
      if (std::memcmp(single.row(t - start), out.row(t), sizeof(float) * static_cast<size_t>(out_width)) != 0) {
        return text("row %d has other bits alone", t);
      }
    }
  }
  if (c.shape != Shape::outliers && std::sqrt(difference / size) > (is_half ? kHalfAttentionAll : kAttention)) {
    return text("the error of all is %.3g of the result", std::sqrt(difference / size));
  }
  const bool intact = out.intact() && step.keys->intact() && step.values->intact() && step.queries->intact();
  return intact ? "" : "a guard byte was overwritten";
}

// Pages of bytes beside pages of f16, which the same keys and values were written to: what a model notices of bytes.
// The distance is printed; it is relative to the size of all results (L2).
std::string check_beside_halves(const std::string& set, Type type, Shape shape, double most) {
  AttentionCase c{"", Type::f16, 8, 2, 128, 0, {{500, 1}, {300, 40}, {2000, 3}, {0, 64}}, shape};
  std::vector<Matrix> results;
  for (const Type one : {Type::f16, type}) {
    c.type = one;
    Step step = make_step(c, 77);
    Matrix& out = results.emplace_back(step.batch.num_tokens, c.num_heads * c.head_size);
    Backend& device = backend(set);
    const Status status = device.ops->attention(device.device, step.queries->rows(), &step.attention, &step.batch,
                                                step.pages, out.rows());
    if (!status.ok()) return status.message;
  }
  double difference = 0, size = 0;
  for (int32_t t = 0; t < results[0].num_rows(); ++t) {
    for (int32_t i = 0; i < results[0].width(); ++i) {
      const double half = results[0].at(t, i), off = results[1].at(t, i) - half;
      difference += off * off;
      size += half * half;
    }
  }
  const double distance = std::sqrt(difference / size);
  std::printf("# %s pages beside f16 pages, %s values, %s: %.2e\n", name_of(type), name_of(shape), set.c_str(),
              distance);
  return distance <= most && distance > 0 ? "" : text("the distance is %.3g, at most %.3g is allowed", distance, most);
}

// What a row does not see may be NaN without a changed bit of its results; what it sees shows.
std::string check_unseen(const std::string& set, const AttentionCase& c) {
  Step step = make_step(c, 9);
  const int32_t out_width = c.num_heads * c.head_size;
  Matrix out(step.batch.num_tokens, out_width), other(step.batch.num_tokens, out_width);
  Backend& device = backend(set);
  const auto run = [&](Matrix& to) {
    return device.ops
        ->attention(device.device, step.queries->rows(), &step.attention, &step.batch, step.pages, to.rows())
        .ok();
  };
  if (!run(out)) return "failed";
  const std::vector<uint8_t> keys(step.keys->data(), step.keys->data() + step.keys->size());
  const std::vector<uint8_t> values(step.values->data(), step.values->data() + step.values->size());
  for (size_t b = 0; b < c.sequences.size(); ++b) {
    for (int32_t t = step.first_row[b]; t < step.first_row[b + 1]; ++t) {
      const int32_t position = step.positions[t];
      for (const bool is_key : {true, false}) {
        // One token becomes NaN: the row after this one's, so that it and those before it must not notice.
        const int32_t token = position + 1;
        if (t + 1 == step.first_row[b + 1]) continue;
        const int64_t page = step.page_table[b * step.batch.page_table_stride + token / 64];
        Guarded<uint8_t>& pool = is_key ? *step.keys : *step.values;
        const bool has_scales = c.type == Type::i8 || c.type == Type::f8;
        const size_t row_bytes = static_cast<size_t>(kv_row_bytes(c.type, c.head_size)) - (has_scales ? 2 : 0);
        for (int32_t head = 0; head < c.num_kv_heads; ++head) {
          uint8_t* block =
              pool.data() + static_cast<size_t>((page * c.num_kv_heads + head) * kv_block_bytes(c.type, c.head_size));
          if (has_scales) {
            std::memset(block + 64 * row_bytes + 2 * static_cast<size_t>(token % 64), 0xff, 2);
          } else {
            std::memset(block + static_cast<size_t>(token % 64) * row_bytes, 0xff, row_bytes);
          }
        }
        const bool ran = run(other);
        std::memcpy(step.keys->data(), keys.data(), keys.size());
        std::memcpy(step.values->data(), values.data(), values.size());
        if (!ran) return "failed with a token that is no number";
        for (int32_t row = 0; row < step.batch.num_tokens; ++row) {
          const bool is_own = row >= step.first_row[b] && row < step.first_row[b + 1];
          const bool sees =
              is_own && step.positions[row] >= token && (c.window <= 0 || token > step.positions[row] - c.window);
          for (int32_t i = 0; i < out_width; ++i) {
            if (sees && !std::isnan(other.at(row, i))) {
              return text("row %d hides that token %d is no number in its %s", row, token, is_key ? "key" : "value");
            }
          }
          if (!sees && std::memcmp(other.row(row), out.row(row), sizeof(float) * static_cast<size_t>(out_width)) != 0) {
            return text("row %d notices the %s of token %d, which it does not see", row, is_key ? "key" : "value",
                        token);
          }
        }
      }
    }
  }
  return {};
}

// rope_kv_attention against rope_kv_write and attention, to the bit; each sequence then by itself.
std::string check_fused(const std::string& set, const AttentionCase& c, int32_t rotary_size, bool adjacent_pairs) {
  Backend& device = backend(set);
  if (device.ops->rope_kv_attention == nullptr) return {};
  Step step = make_step(c, 11);
  Random random(12);
  const int32_t query_width = c.num_heads * c.head_size, key_width = c.num_kv_heads * c.head_size;
  const int32_t num_tokens = step.batch.num_tokens;
  Matrix qkv(num_tokens, query_width + 2 * key_width), apart(num_tokens, query_width + 2 * key_width);
  qkv.fill(random, c.shape);
  for (int32_t t = 0; t < num_tokens; ++t)
    std::memcpy(apart.row(t), qkv.row(t), sizeof(float) * static_cast<size_t>(qkv.width()));
  std::vector<float> frequencies(static_cast<size_t>(rotary_size) / 2);
  for (size_t i = 0; i < frequencies.size(); ++i)
    frequencies[i] = std::pow(1e4f, -static_cast<float>(i) / frequencies.size());
  const Rope rope{frequencies.data(), rotary_size, adjacent_pairs, 1.25f};
  const std::vector<uint8_t> old_keys(step.keys->data(), step.keys->data() + step.keys->size());
  const std::vector<uint8_t> old_values(step.values->data(), step.values->data() + step.values->size());
  Matrix expected(num_tokens, query_width), out(num_tokens, query_width);
  Rows queries = apart.rows();
  queries.width = query_width;
  if (!device.ops->rope_kv_write(device.device, apart.rows(), &step.attention, &rope, &step.batch, step.pages).ok() ||
      !device.ops->attention(device.device, queries, &step.attention, &step.batch, step.pages, expected.rows()).ok()) {
    return "failed apart";
  }
  const std::vector<uint8_t> new_keys(step.keys->data(), step.keys->data() + step.keys->size());
  const std::vector<uint8_t> new_values(step.values->data(), step.values->data() + step.values->size());
  const auto forget = [&] {
    std::memcpy(step.keys->data(), old_keys.data(), old_keys.size());
    std::memcpy(step.values->data(), old_values.data(), old_values.size());
  };
  const std::vector<uint8_t> rows(reinterpret_cast<uint8_t*>(qkv.row(0)),
                                  reinterpret_cast<uint8_t*>(qkv.row(0)) + sizeof(float) *
                                                                               static_cast<size_t>(num_tokens) *
                                                                               static_cast<size_t>(qkv.rows().stride));
  for (int32_t repeat = 0; repeat < 3; ++repeat) {
    forget();
    std::memcpy(qkv.row(0), rows.data(), rows.size());
    const Status status = device.ops->rope_kv_attention(device.device, qkv.rows(), &step.attention, &rope, &step.batch,
                                                        step.pages, out.rows());
    if (!status.ok()) return status.message;
    for (int32_t t = 0; t < num_tokens; ++t) {
      for (int32_t i = 0; i < query_width; ++i) {
        if (std::memcmp(&out.at(t, i), &expected.at(t, i), sizeof(float)) != 0) {
          return text("out[%d, %d] is %.9g, apart %.9g", t, i, out.at(t, i), expected.at(t, i));
        }
      }
    }
    if (std::memcmp(step.keys->data(), new_keys.data(), new_keys.size()) != 0 ||
        std::memcmp(step.values->data(), new_values.data(), new_values.size()) != 0) {
      return "the pages are not what rope_kv_write makes of them";
    }
  }
  std::memcpy(qkv.row(0), rows.data(), rows.size());
  forget();
  for (size_t b = 0; b < c.sequences.size(); ++b) {
    const int32_t first = step.first_row[b], count = step.first_row[b + 1] - first;
    if (count == 0) continue;
    Alone alone(step, b, first, count);
    Rows own{qkv.row(first), count, qkv.width(), qkv.rows().stride};
    Matrix single(count, query_width);
    if (!device.ops
             ->rope_kv_attention(device.device, own, &step.attention, &rope, &alone.batch, step.pages, single.rows())
             .ok())
      return "failed alone";
    for (int32_t t = 0; t < count; ++t) {
      if (std::memcmp(single.row(t), out.row(first + t), sizeof(float) * static_cast<size_t>(query_width)) != 0)
        return text("row %d has other bits alone", first + t);
    }
  }
  return step.keys->intact() && step.values->intact() && qkv.intact() && out.intact() ? ""
                                                                                      : "a guard byte was overwritten";
}

std::string check_full(const std::string& set, int32_t num_heads, int32_t head_size,
                       const std::vector<int32_t>& lengths, Shape shape, float soft_cap = 0) {
  Random random(static_cast<uint64_t>(head_size) * 7 + 1);
  std::vector<int32_t> first_row = {0};
  for (const int32_t length : lengths) first_row.push_back(first_row.back() + length);
  const int32_t num_tokens = first_row.back();
  const int32_t width = num_heads * head_size;
  Matrix qkv(num_tokens, 3 * width), out(num_tokens, width);
  qkv.fill(random, shape);
  const auto view = [&](int32_t part) { return Rows{qkv.row(0) + part * width, num_tokens, width, qkv.rows().stride}; };
  const Attention attention{num_heads, num_heads, head_size, 1 / std::sqrt(static_cast<float>(head_size)), 0, soft_cap};
  Batch batch;
  batch.num_tokens = num_tokens;
  batch.num_sequences = static_cast<int32_t>(lengths.size());
  batch.first_row = first_row.data();
  Backend& device = backend(set);
  const Status status =
      device.ops->attention_full(device.device, view(0), view(1), view(2), &attention, &batch, out.rows());
  if (!status.ok()) return status.message;
  const bool is_half = rounds_to_half(set, Type::f16, head_size);  // keys and values, too
  const auto query_size_of = [&](const float* query) {
    double size = 0;
    for (int32_t i = 0; i < head_size; ++i) size = std::max(size, std::abs(static_cast<double>(query[i])));
    return size;
  };
  for (size_t b = 0; b < lengths.size(); ++b) {
    std::vector<double> keys, values;
    for (int32_t t = first_row[b]; t < first_row[b + 1]; ++t) {
      const float* key = view(1).data + static_cast<size_t>(t) * view(1).stride;
      const float* value = view(2).data + static_cast<size_t>(t) * view(2).stride;
      for (int32_t i = 0; i < width; ++i) {
        keys.push_back(is_half ? half_value(nearest_half(key[i])) : key[i]);
        values.push_back(is_half ? half_value(nearest_half(value[i])) : value[i]);
      }
    }
    for (int32_t t = first_row[b]; t < first_row[b + 1]; ++t) {
      for (int32_t head = 0; head < num_heads; ++head) {
        double largest = 0;
        const float* query = qkv.row(t) + head * head_size;
        const std::vector<float> half_query = rounded(query, head_size);
        const std::vector<double> exact = exact_lane(is_half ? half_query.data() : query, keys, values, width,
                                                     head * head_size, 0, lengths[b], attention, 0, largest);
        const double tolerance =
            largest * (kAttention * (1 + 3 * query_size_of(query)) + (is_half ? kHalfAttention : 0));
        for (int32_t i = 0; i < head_size; ++i) {
          const std::string why =
              compare("out", t, head * head_size + i, out.at(t, head * head_size + i), exact[i], tolerance);
          if (!why.empty()) return why;
        }
      }
    }
    const int32_t own_rows[] = {0, lengths[b]};
    Batch alone;
    alone.num_tokens = lengths[b];
    alone.num_sequences = 1;
    alone.first_row = own_rows;
    Matrix single(lengths[b], width);
    const auto part = [&](int32_t index) {
      Rows rows = view(index);
      rows.data += static_cast<size_t>(first_row[b]) * rows.stride;
      rows.num_rows = lengths[b];
      return rows;
    };
    if (!device.ops->attention_full(device.device, part(0), part(1), part(2), &attention, &alone, single.rows()).ok())
      return "failed alone";
    for (int32_t t = 0; t < lengths[b]; ++t) {
      if (std::memcmp(single.row(t), out.row(first_row[b] + t), sizeof(float) * static_cast<size_t>(width)) != 0) {
        return text("row %d of sequence %zu has other bits alone", t, b);
      }
    }
  }
  return out.intact() && qkv.intact() ? "" : "a guard byte was overwritten";
}

// rope_kv_write against rope, then against where kv_write must have put each key and value, to the bit.
std::string check_write(const std::string& set, Type type, int32_t num_heads, int32_t num_kv_heads, int32_t head_size) {
  const AttentionCase c{
      "", type, num_heads, num_kv_heads, head_size, 0, {{60, 9}, {0, 1}, {127, 2}, {64, 70}, {3, 200}}};
  Step step = make_step(c, 5);
  Random random(6);
  const int32_t query_width = num_heads * head_size, key_width = num_kv_heads * head_size;
  const int32_t num_tokens = step.batch.num_tokens;
  Matrix qkv(num_tokens, query_width + 2 * key_width), turned(num_tokens, query_width + key_width);
  qkv.fill(random, Shape::outliers);
  for (int32_t t = 0; t < num_tokens; ++t)
    std::memcpy(turned.row(t), qkv.row(t), sizeof(float) * static_cast<size_t>(query_width + key_width));
  std::vector<float> frequencies(static_cast<size_t>(head_size) / 2);
  for (size_t i = 0; i < frequencies.size(); ++i)
    frequencies[i] = std::pow(1e4f, -static_cast<float>(i) / frequencies.size());
  const Rope rope{frequencies.data(), head_size, false};
  const std::vector<uint8_t> old_keys(step.keys->data(), step.keys->data() + step.keys->size());
  const std::vector<uint8_t> old_values(step.values->data(), step.values->data() + step.values->size());
  Backend& device = backend(set);
  if (!device.ops->rope_kv_write(device.device, qkv.rows(), &step.attention, &rope, &step.batch, step.pages).ok())
    return "failed";
  if (!device.ops->rope(device.device, turned.rows(), num_heads + num_kv_heads, head_size, &rope, &step.batch).ok())
    return "rope failed";
  std::vector<uint8_t> expected_keys = old_keys, expected_values = old_values;
  const auto part_of = [&](int32_t t, int32_t first_column) {
    return std::vector<float>(qkv.row(t) + first_column, qkv.row(t) + first_column + head_size);
  };
  for (size_t b = 0; b < c.sequences.size(); ++b) {
    for (int32_t t = step.first_row[b]; t < step.first_row[b + 1]; ++t) {
      if (std::memcmp(turned.row(t), qkv.row(t), sizeof(float) * static_cast<size_t>(query_width + key_width)) != 0)
        return text("row %d is not turned as rope turns it", t);
      const int64_t page = step.page_table[b * step.batch.page_table_stride + step.positions[t] / 64];
      for (int32_t head = 0; head < num_kv_heads; ++head) {
        const size_t block = static_cast<size_t>((page * num_kv_heads + head) * kv_block_bytes(type, head_size));
        const int32_t column = query_width + head * head_size, token = step.positions[t] % 64;
        put_token(type, expected_keys.data() + block, token, part_of(t, column));
        put_token(type, expected_values.data() + block, token, part_of(t, column + key_width));
      }
    }
  }
  if (std::memcmp(step.keys->data(), expected_keys.data(), expected_keys.size()) != 0)
    return "keys were stored wrongly";
  if (std::memcmp(step.values->data(), expected_values.data(), expected_values.size()) != 0) {
    return "values were stored wrongly";
  }
  step.positions[0] = 64 * step.batch.page_table_stride;
  if (device.ops->rope_kv_write(device.device, qkv.rows(), &step.attention, &rope, &step.batch, step.pages).code !=
      Code::invalid_input) {
    return "a position after the page table's end was accepted";
  }
  return step.keys->intact() && step.values->intact() && qkv.intact() ? "" : "a guard byte was overwritten";
}

}  // namespace

void attention_cases() {
  const std::vector<AttentionCase> cases = {
      {"one row over itself", Type::f16, 4, 4, 64, 0, {{0, 1}}},
      {"decode at the edges of a page",
       Type::f16,
       8,
       2,
       64,
       0,
       {{62, 1}, {63, 1}, {64, 1}, {65, 1}, {127, 1}, {128, 1}}},
      {"prefill of 130 rows", Type::f16, 4, 2, 64, 0, {{0, 130}}},
      {"prefill after 70 cached tokens", Type::f16, 4, 1, 32, 0, {{70, 77}}},
      {"decode and prefill in one step", Type::f16, 8, 2, 64, 0, {{300, 1}, {0, 40}, {63, 5}, {199, 1}, {64, 64}}},
      {"f32 pages", Type::f32, 8, 2, 64, 0, {{100, 1}, {0, 67}}},
      {"heads of 128", Type::f16, 8, 8, 128, 0, {{90, 3}, {0, 5}}},
      {"heads of 256", Type::f16, 2, 1, 256, 0, {{90, 3}}},
      {"heads of 8", Type::f16, 8, 4, 8, 0, {{60, 10}, {5, 1}}},
      {"heads of 80", Type::f16, 4, 2, 80, 0, {{60, 10}}},
      {"heads of 5", Type::f32, 3, 3, 5, 0, {{60, 10}}},
      {"one kv head for 71", Type::f16, 71, 1, 64, 0, {{75, 2}}},
      {"a window of 10", Type::f16, 4, 2, 64, 10, {{0, 30}, {130, 1}, {60, 9}}},
      {"a window of 64", Type::f16, 4, 2, 64, 64, {{0, 130}, {63, 2}, {127, 1}}},
      {"a window of 100", Type::f16, 6, 2, 32, 100, {{250, 20}, {30, 1}}},
      {"a window of 1", Type::f16, 2, 2, 16, 1, {{64, 3}}},
      {"outlier queries and values", Type::f32, 4, 2, 64, 0, {{100, 20}}, Shape::outliers},
      {"biased keys and values", Type::f16, 4, 2, 64, 0, {{100, 20}}, Shape::biased},
      {"a cap of 0.7", Type::f16, 4, 2, 64, 0, {{100, 20}, {0, 3}, {300, 1}}, Shape::normal, 0.7f},
      {"a cap of 50 on outliers", Type::f32, 4, 2, 64, 0, {{100, 20}}, Shape::outliers, 50},
      {"a cap and a window", Type::f16, 4, 4, 32, 70, {{120, 12}, {200, 1}}, Shape::biased, 1.5f},
      {"slopes", Type::f16, 8, 2, 64, 0, {{0, 130}, {300, 1}, {62, 5}}, Shape::normal, 0, true},
      {"slopes of heads of 5", Type::f32, 6, 6, 5, 0, {{60, 10}}, Shape::normal, 0, true},
      {"slopes and one kv head for 71", Type::f16, 71, 1, 64, 0, {{75, 2}}, Shape::biased, 0, true},
      {"heads of 128, 4 to a kv head, chunks with odd starts",
       Type::f16,
       8,
       2,
       128,
       0,
       {{0, 129}, {77, 131}, {300, 9}, {1000, 1}}},
      {"heads of 128, 8 to a kv head", Type::f16, 16, 2, 128, 0, {{190, 70}, {511, 8}, {64, 2}}},
      {"heads of 256 and prefill", Type::f16, 4, 2, 256, 0, {{100, 80}, {128, 5}, {640, 1}}},
      {"heads of 96", Type::f16, 4, 4, 96, 0, {{60, 70}, {130, 4}}},
      {"drafts of 1 to 8 rows",
       Type::f16,
       8,
       2,
       128,
       0,
       {{200, 1}, {200, 2}, {200, 3}, {200, 4}, {200, 5}, {200, 6}, {200, 7}, {200, 8}}},
      {"drafts over the edges of splits",
       Type::f16,
       4,
       1,
       32,
       0,
       {{125, 8}, {2045, 8}, {8190, 5}, {127, 1}, {2047, 1}}},
      {"long contexts", Type::f16, 4, 1, 32, 0, {{9000, 1}, {17000, 2}, {40, 1}}},
      {"a window in a long context", Type::f16, 4, 2, 64, 700, {{3000, 3}, {2500, 1}, {1000, 20}}},
      {"many sequences of one row", Type::f16, 8, 4, 64, 0, std::vector<Sequence>(150, Sequence{150, 1})},
      {"single rows, heads of 128",
       Type::f16,
       8,
       2,
       128,
       0,
       {{0, 1}, {1, 1}, {15, 1}, {16, 1}, {63, 1}, {64, 1}, {126, 1}, {127, 1}, {128, 1}, {300, 1}, {2047, 1}}},
      {"single rows beside prompts, 8 to a kv head", Type::f16, 16, 2, 128, 0, {{300, 1}, {0, 40}, {129, 1}, {700, 1}}},
      {"outlier single rows", Type::f16, 3, 3, 128, 0, {{100, 1}, {300, 1}}, Shape::outliers},
      {"outlier queries and values in f16", Type::f16, 4, 2, 64, 0, {{100, 20}, {100, 3}}, Shape::outliers},
      {"slopes, a cap and a window", Type::f16, 4, 2, 64, 90, {{250, 20}, {30, 1}}, Shape::normal, 2, true},
  };
  for (const std::string& set : instruction_sets()) {
    const char* s = set.c_str();
    for (const AttentionCase& c : cases) {
      run_case(text("attention, %s [%s H=%d G=%d d=%d], %s", c.name, name_of(c.type), c.num_heads, c.num_kv_heads,
                    c.head_size, s),
               [&] { return check_attention(set, c, 40 + static_cast<uint64_t>(c.head_size)); });
    }
    for (const Type type : {Type::i8, Type::f8}) {
      const std::vector<AttentionCase> bytes = {
          {"decode and prefill in one step", type, 8, 2, 64, 0, {{300, 1}, {0, 40}, {63, 5}, {199, 1}, {64, 64}}},
          {"heads of 128, drafts", type, 8, 2, 128, 0, {{200, 8}, {130, 3}, {2050, 1}}},
          {"heads of 80 and a window", type, 4, 2, 80, 100, {{60, 10}, {300, 2}}},
          {"heads of 256", type, 2, 1, 256, 0, {{90, 3}, {0, 70}}},
          {"biased keys and values", type, 4, 2, 64, 0, {{100, 20}, {70, 1}}, Shape::biased},
      };
      for (const AttentionCase& c : bytes) {
        run_case(text("attention, %s [%s H=%d G=%d d=%d], %s", c.name, name_of(c.type), c.num_heads, c.num_kv_heads,
                      c.head_size, s),
                 [&] { return check_attention(set, c, 50); });
      }
    }
    // Values of zero mean leave small results, beside which the rounding of keys and values is large.
    for (const auto& [type, shape, most] : {std::tuple{Type::i8, Shape::biased, 3e-3},
                                            {Type::i8, Shape::normal, 1.2e-2},
                                            {Type::f8, Shape::biased, 3e-2},
                                            {Type::f8, Shape::normal, 6e-2}}) {
      run_case(
          text("attention over %s pages is near that over f16 pages, %s values, %s", name_of(type), name_of(shape), s),
          [&] { return check_beside_halves(set, type, shape, most); });
    }
    const std::vector<AttentionCase> mixed = {
        {"rows of prefill and decode", Type::f16, 4, 2, 64, 0, {{60, 12}, {126, 8}, {200, 3}}},
        {"a window", Type::f16, 4, 2, 128, 7, {{50, 20}, {60, 8}}},
        {"single rows", Type::f16, 4, 2, 128, 0, {{50, 1}, {130, 1}}},
        {"f32 pages", Type::f32, 2, 2, 16, 0, {{60, 10}}},
        {"i8 pages", Type::i8, 4, 2, 64, 0, {{60, 12}, {126, 8}}},
        {"f8 pages", Type::f8, 4, 2, 64, 0, {{60, 12}, {126, 8}}},
    };
    for (const AttentionCase& c : mixed) {
      run_case(text("attention does not notice what a row does not see, %s, %s", c.name, s),
               [&] { return check_unseen(set, c); });
    }
    struct FusedCase {
      AttentionCase attention;
      int32_t rotary_size;
      bool adjacent_pairs;
    };
    const std::vector<FusedCase> fused = {
        {{"one row after 2,047", Type::f16, 8, 2, 128, 0, {{2047, 1}}}, 128, false},
        {{"drafts and single rows", Type::f16, 8, 2, 128, 0, {{125, 8}, {300, 1}, {0, 1}, {63, 2}, {0, 7}}},
         128,
         false},
        {{"half of each head turns", Type::f16, 4, 4, 64, 0, {{60, 6}, {128, 1}}}, 32, true},
        {{"heads of 80 and a window", Type::f16, 4, 2, 80, 100, {{300, 4}, {90, 1}}}, 80, false},
        {{"heads of 256, 8 to a kv head", Type::f16, 8, 1, 256, 0, {{130, 5}, {20, 1}}}, 256, false},
        {{"rows of prefill, too", Type::f16, 8, 2, 64, 0, {{300, 1}, {0, 40}, {63, 5}}}, 64, false},
        {{"f32 pages", Type::f32, 4, 2, 64, 0, {{100, 1}, {0, 3}}}, 64, false},
        {{"i8 pages", Type::i8, 8, 2, 128, 0, {{100, 1}, {0, 3}, {60, 8}}}, 128, false},
        {{"f8 pages", Type::f8, 8, 2, 64, 0, {{100, 1}, {0, 3}, {60, 8}}}, 64, false},
        {{"i8 pages and rows of prefill", Type::i8, 4, 2, 64, 0, {{100, 1}, {0, 30}}}, 64, false},
        {{"slopes and a cap", Type::f16, 8, 2, 64, 0, {{100, 3}, {500, 1}}, Shape::normal, 5, true}, 64, false},
        {{"single rows and prompts", Type::f16, 8, 2, 128, 0, {{300, 1}, {0, 40}, {129, 1}, {700, 1}, {64, 30}}},
         128,
         false},
        {{"single rows and prompts in i8", Type::i8, 8, 2, 128, 0, {{300, 1}, {0, 40}, {2049, 1}}}, 128, false},
        {{"single rows and prompts in f8", Type::f8, 4, 2, 64, 0, {{300, 1}, {0, 40}, {129, 1}, {64, 9}}}, 64, false},
        {{"single rows of 128",
          Type::f16,
          8,
          2,
          128,
          0,
          {{0, 1}, {15, 1}, {16, 1}, {63, 1}, {64, 1}, {127, 1}, {128, 1}, {143, 1}, {300, 1}, {2047, 1}}},
         128,
         false},
        {{"single rows of 128, a head each", Type::f16, 3, 3, 128, 0, {{255, 1}, {256, 1}, {400, 1}}}, 128, false},
        {{"40 sequences", Type::f16, 32, 8, 64, 0, std::vector<Sequence>(40, Sequence{199, 1})}, 64, false},
    };
    for (const FusedCase& c : fused) {
      run_case(text("rope_kv_attention is rope_kv_write and attention, %s, %s", c.attention.name, s),
               [&] { return check_fused(set, c.attention, c.rotary_size, c.adjacent_pairs); });
    }
    run_case(text("attention_full [H=3 d=128], sequences of 200 and 9 rows, %s", s), [&] {
      return check_full(set, 3, 128, {200, 9}, Shape::normal);
    });
    run_case(text("attention_full [H=2 d=80], sequences of 33 and 100 rows, %s", s), [&] {
      return check_full(set, 2, 80, {33, 100}, Shape::biased);
    });
    run_case(text("attention_full [H=12 d=32], sequences of 1, 17, 64, 65 and 130 rows, %s", s), [&] {
      return check_full(set, 12, 32, {1, 17, 64, 65, 130}, Shape::normal);
    });
    run_case(text("attention_full [H=3 d=5] of biased rows, %s", s), [&] {
      return check_full(set, 3, 5, {20, 3}, Shape::biased);
    });
    run_case(text("attention_full [H=2 d=64] of outlier rows, %s", s),
             [&] { return check_full(set, 2, 64, {40}, Shape::outliers); });
    run_case(text("attention_full [H=4 d=32] with a cap of 0.8, %s", s), [&] {
      return check_full(set, 4, 32, {20, 70, 1}, Shape::biased, 0.8f);
    });
    for (const Type type : {Type::f16, Type::f32, Type::i8, Type::f8}) {
      run_case(text("rope_kv_write %s [H=4 G=2 d=64], %s", name_of(type), s),
               [&] { return check_write(set, type, 4, 2, 64); });
      if (type == Type::f16) {
        run_case(text("rope_kv_write f16 [H=40 G=8 d=128], %s", s), [&] { return check_write(set, type, 40, 8, 128); });
      }
      run_case(text("rope_kv_write %s [H=3 G=3 d=10], %s", name_of(type), s),
               [&] { return check_write(set, type, 3, 3, 10); });
    }
  }
}

}  // namespace quoth::test
