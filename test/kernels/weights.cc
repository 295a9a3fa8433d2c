// Random weights of every type, as the plan lays them out, with the numbers that they stand for.
#include "harness.h"

namespace quoth::test {
namespace {

size_t place_of(size_t n, size_t k, size_t num_columns) {
  return n * num_columns + k;
}

void fill_floats(TestWeight& made, Random& random) {
  const bool is_f32 = made.weight.type == Type::f32;
  const size_t count = made.values.size();
  made.data = std::make_unique<Guarded<uint8_t>>(count * (is_f32 ? 4 : 2));
  for (size_t i = 0; i < count; ++i) {
    const float value = random.normal() * (random.below(200) == 0 ? 20.0f : 0.5f);
    if (is_f32) {
      reinterpret_cast<float*>(made.data->data())[i] = value;
      made.values[i] = value;
    } else {
      const uint16_t half = nearest_half(value);
      reinterpret_cast<uint16_t*>(made.data->data())[i] = half;
      made.values[i] = half_value(half);
    }
    made.sizes[i] = std::abs(made.values[i]);
  }
}

// Every byte but the two that are no numbers; the bytes between the last row and the scales stay guards.
void fill_float8(TestWeight& made, Random& random) {
  const size_t num_rows = static_cast<size_t>(made.weight.num_rows);
  const size_t num_columns = static_cast<size_t>(made.weight.num_columns);
  const size_t scales = (num_rows * num_columns + 63) / 64 * 64;
  made.data = std::make_unique<Guarded<uint8_t>>(scales + 4 * num_rows);
  for (size_t n = 0; n < num_rows; ++n) {
    const float scale = n % 7 == 3 ? 1e-7f : random.normal() * 0.01f;
    std::memcpy(made.data->data() + scales + 4 * n, &scale, 4);
    for (size_t k = 0; k < num_columns; ++k) {
      uint8_t byte = static_cast<uint8_t>(random.next() >> 40);
      if ((byte & 0x7f) == 0x7f) byte = 0x38;
      made.data->data()[n * num_columns + k] = byte;
      const int exponent = byte >> 3 & 15, fraction = byte & 7;
      const double size = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
      const double value = (byte & 0x80 ? -size : size) * scale;
      made.values[place_of(n, k, num_columns)] = value;
      made.sizes[place_of(n, k, num_columns)] = std::abs(value);
    }
  }
}

// Zero points at both ends, in the middle, and between two whole numbers.
double draw_zero(Random& random) {
  switch (random.below(5)) {
    case 0:
      return 0;
    case 1:
      return 15;
    case 2:
      return 8;
    case 3:
      return random.below(16);
    default:
      return half_value(nearest_half(random.uniform() * 18 - 2));
  }
}

void fill_records(TestWeight& made, Random& random) {
  const Type type = made.weight.type;
  const bool has_zeros = type == Type::int4_g32 || type == Type::int4_g128;
  const size_t columns = type == Type::int4_g128 ? 128 : 32;
  const size_t weight_bytes = type == Type::q8 ? 512 : columns * 8;
  const size_t bytes = weight_bytes + (has_zeros ? 64 : 32);
  const size_t num_columns = static_cast<size_t>(made.weight.num_columns);
  const size_t num_groups = num_columns / columns;
  const size_t num_tiles = (static_cast<size_t>(made.weight.num_rows) + 15) / 16;
  made.data = std::make_unique<Guarded<uint8_t>>(num_tiles * num_groups * bytes);
  // The formats' own (IQ4_NL, IQ2_XXS, Q4_0), one that spans all of int8, one that spans 128 and no more.
  static const std::vector<int8_t> codebooks[] = {
      {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113},
      {8, 25, 43, 8, 8, 25, 43, 8, -8, -25, -43, -8, -8, -25, -43, -8},
      {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7},
      {-128, -43, -25, -8, 8, 25, 43, 127, 0, 1, -1, 5, 99, -99, 64, -64},
      {-128, 0, -128, 0, -127, -1, -64, -64, -128, 0, -100, -3, -9, -27, -81, -111},
  };
  made.codebook = codebooks[random.below(5)];
  made.weight.codebook = type == Type::q4 ? made.codebook.data() : nullptr;
  for (size_t tile = 0; tile < num_tiles; ++tile) {
    for (size_t group = 0; group < num_groups; ++group) {
      uint8_t* record = made.data->data() + (tile * num_groups + group) * bytes;
      for (size_t i = 0; i < weight_bytes; ++i) record[i] = static_cast<uint8_t>(random.next() >> 40);
      for (size_t r = 0; r < 16; ++r) {
        const size_t n = tile * 16 + r;
        const bool padding = n >= static_cast<size_t>(made.weight.num_rows);
        const uint16_t scale = padding ? 0 : nearest_half(random.normal() * 0.02);
        const uint16_t zero = padding ? 0 : nearest_half(draw_zero(random));
        std::memcpy(record + weight_bytes + 2 * r, &scale, 2);
        if (has_zeros) std::memcpy(record + weight_bytes + 32 + 2 * r, &zero, 2);
        for (size_t k = 0; k < columns && !padding; ++k) {
          const uint8_t byte = type == Type::q8 ? 0 : record[k / 8 * 64 + 4 * r + k % 4];
          const int nibble = k % 8 < 4 ? byte & 15 : byte >> 4;
          const double value = type == Type::q8   ? static_cast<int>(record[k / 4 * 64 + 4 * r + k % 4]) - 128
                               : type == Type::q4 ? made.codebook[nibble]
                                                  : nibble - half_value(zero);
          const double size = has_zeros ? nibble + std::abs(half_value(zero)) : std::abs(value);
          const size_t place = place_of(n, group * columns + k, num_columns);
          made.values[place] = value * half_value(scale);
          made.sizes[place] = size * std::abs(half_value(scale));
        }
      }
    }
  }
}

}  // namespace

TestWeight make_weight(Type type, int32_t num_rows, int32_t num_columns, Random& random) {
  TestWeight made;
  made.weight = {type, num_rows, num_columns, nullptr, nullptr};
  made.values.resize(static_cast<size_t>(num_rows) * num_columns);
  made.sizes.resize(made.values.size());
  if (type == Type::f32 || type == Type::f16) {
    fill_floats(made, random);
  } else if (type == Type::f8) {
    fill_float8(made, random);
  } else {
    fill_records(made, random);
  }
  made.weight.data = made.data->data();
  return made;
}

}  // namespace quoth::test
