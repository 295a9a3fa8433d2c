// A model of Mistral-7B's shape in memory, int4_g128 with a head of f16 and random weights: for times on a GPU.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "../../native/program/json.h"
#include "../../native/program/plan_file.h"

namespace quoth::test {

struct ModelShape {
  int32_t size = 4096, inner = 14336, heads = 32, kv_heads = 8;
};
inline constexpr ModelShape kLlama13Shape{5120, 13824, 40, 40};

// `bytes` holds what all tensors of a type share, and must outlive the plan.
inline PlanFile mistral_shape(std::vector<uint8_t>& bytes, int32_t num_layers = 32, const ModelShape& shape = {}) {
  constexpr int32_t kHeadSize = 128, kVocabulary = 32000;
  const int32_t kSize = shape.size, kInner = shape.inner;
  const int32_t kQkv = (shape.heads + 2 * shape.kv_heads) * kHeadSize;
  // Any nibbles; scales of about 1/2000, zero points of 7.
  const size_t num_records = static_cast<size_t>(2 * kInner / 16) * (kSize / 128);
  const size_t table_bytes = size_t{2} * kVocabulary * kSize;
  bytes.resize(num_records * 1088 + table_bytes + 4 * kInner);
  std::mt19937 random(7);
  for (size_t r = 0; r < num_records; ++r) {
    uint8_t* record = bytes.data() + r * 1088;
    for (size_t i = 0; i < 1024; i += 4) {
      const uint32_t word = random();
      std::copy_n(reinterpret_cast<const uint8_t*>(&word), 4, record + i);
    }
    uint16_t* scales = reinterpret_cast<uint16_t*>(record + 1024);
    for (int i = 0; i < 16; ++i) scales[i] = static_cast<uint16_t>(0x1000 + random() % 256);
    for (int i = 16; i < 32; ++i) scales[i] = 0x4700;
  }
  uint8_t* table = bytes.data() + num_records * 1088;
  for (size_t i = 0; i < table_bytes; i += 2) {
    const uint16_t half = static_cast<uint16_t>(0x1c00 + random() % 512 + (random() % 2) * 0x8000);
    std::copy_n(reinterpret_cast<const uint8_t*>(&half), 2, table + i);
  }
  float* ones = reinterpret_cast<float*>(table + table_bytes);
  for (int i = 0; i < kInner; ++i) ones[i] = i < 64 ? std::pow(10000.0F, -static_cast<float>(i) / 64) : 1.0F;

  PlanFile plan;
  plan.path = "mistral-shape";
  plan.architecture = "mistral";
  plan.vocabulary_size = kVocabulary;
  plan.context_tokens = 32768;
  plan.has_kv = true;
  plan.kv = {Type::f16, num_layers, shape.kv_heads, kHeadSize};
  const auto tensor = [&](Type type, int32_t rows, int32_t columns, const void* memory) {
    PlanTensor one;
    one.name = "t" + std::to_string(plan.tensors.size());
    one.type = type;
    one.num_rows = rows;
    one.num_columns = columns;
    one.size_bytes = type == Type::f32 ? uint64_t{4} * static_cast<uint64_t>(columns)
                     : type == Type::f16
                         ? uint64_t{2} * static_cast<uint64_t>(rows) * static_cast<uint64_t>(columns)
                         : static_cast<uint64_t>(rows / 16) * static_cast<uint64_t>(columns / 128) * 1088;
    one.memory = static_cast<const uint8_t*>(memory);
    plan.weight_bytes += one.size_bytes;
    plan.tensors.push_back(one);
    return std::to_string(plan.tensors.size() - 1);
  };
  const std::string size = std::to_string(kSize), inner = std::to_string(kInner), both = std::to_string(2 * kInner);
  const std::string qkv = std::to_string(kQkv);
  const std::string embedding = tensor(Type::f16, kVocabulary, kSize, table);
  const std::string inverse = tensor(Type::f32, 1, kHeadSize / 2, ones);
  std::string steps;
  const auto step = [&](const std::string& text) { steps += (steps.empty() ? "{" : ",{") + text + "}"; };
  const auto linear = [&](const std::string& in, const std::string& out, int32_t rows, int32_t columns) {
    step(R"("op":"linear","activation":"none","in":[[)" + in + R"(]],"out":[[)" + out + R"(]],"weights":[)" +
         tensor(Type::int4_g128, rows, columns, bytes.data()) + ",null]");
  };
  const auto add_norm = [&] {
    step(R"("op":"add_rms_norm","epsilon":1e-5,"in":[[0,0,)" + size + "],[4,0," + size + R"(]],"out":[[1,0,)" + size +
         R"(]],"weights":[)" + tensor(Type::f32, 1, kSize, ones + 64) + "]");
  };
  const std::string heads = R"("numHeads":)" + std::to_string(shape.heads) + R"(,"numKvHeads":)" +
                            std::to_string(shape.kv_heads) + R"(,"headSize":128)";
  step(R"("op":"embed","out":[[0,0,)" + size + R"(]],"scale":1,"weights":[)" + embedding + "]");
  step(R"("op":"rms_norm","epsilon":1e-5,"in":[[0,0,)" + size + R"(]],"out":[[1,0,)" + size + R"(]],"weights":[)" +
       tensor(Type::f32, 1, kSize, ones + 64) + "]");
  for (int32_t layer = 0; layer < num_layers; ++layer) {
    const std::string number = std::to_string(layer);
    linear("1,0," + size, "2,0," + qkv, kQkv, kSize);
    step(R"("op":"rope_kv_write","out":[[2,0,)" + qkv + R"(]],"weights":[)" + inverse +
         R"(],"rotarySize":128,"adjacentPairs":false,)" + heads + R"(,"layer":)" + number);
    step(R"("op":"attention","in":[[2,0,)" + size + R"(]],"out":[[3,0,)" + size +
         R"(]],"scale":0.088388347648,"window":0,)" + heads + R"(,"layer":)" + number);
    linear("3,0," + size, "4,0," + size, kSize, kSize);
    add_norm();
    linear("1,0," + size, "5,0," + both, 2 * kInner, kSize);
    step(R"("op":"gated","activation":"silu","in":[[5,0,)" + both + R"(]],"out":[[6,0,)" + inner + "]]");
    linear("6,0," + inner, "4,0," + size, kSize, kInner);
    add_norm();
  }
  step(R"("op":"gather_outputs","in":[[1,0,)" + size + R"(]],"out":[[7,0,)" + size + "]]");
  step(R"("op":"linear","activation":"none","in":[[7,0,)" + size + R"(]],"out":[[8,0,32000]],"weights":[)" +
       tensor(Type::f16, kVocabulary, kSize, table) + ",null]");
  const auto buffer = [](const std::string& rows, const std::string& width) {
    return R"({"rows":")" + rows + R"(","width":)" + width + "}";
  };
  std::string buffers;
  for (const std::string& width : {size, size, qkv, size, size, both, inner}) buffers += buffer("tokens", width) + ",";
  buffers += buffer("outputs", size) + "," + buffer("outputs", std::to_string(kVocabulary));
  plan.program = parse_json(R"({"buffers":[)" + buffers + R"(],"output":8,"steps":[)" + steps + "]}");
  return plan;
}

}  // namespace quoth::test
