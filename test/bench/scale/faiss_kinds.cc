// Measures kinds of FAISS' index on the vectors that vectors.ts made, 200 questions one after another, ten nearest:
//
//   g++ -std=c++20 -O3 -fopenmp faiss_kinds.cc -o faiss_kinds -l:libfaiss.a -lopenblas
//   ./faiss_kinds FOLDER 1000000 IVF1024,Flat        (a factory string of FAISS'; --random: vectors without any order)
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexRefine.h>
#include <faiss/index_factory.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr int kDimension = 384, kQuestions = 200, kDepth = 10;
using Rows = std::vector<float>;
using Ids = std::vector<faiss::Index::idx_t>;

double milliseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

float to_float(uint16_t half) {
  const float value = std::bit_cast<float>(uint32_t{half & 0x7fffu} << 13) * 0x1p112f;
  return half & 0x8000u ? -value : value;
}

Rows read_vectors(const std::string& folder, size_t count) {
  std::ifstream file(folder + "/vectors.f16", std::ios::binary);
  std::vector<uint16_t> halves(count * kDimension);
  file.read(reinterpret_cast<char*>(halves.data()), static_cast<std::streamsize>(halves.size() * 2));
  Rows rows(halves.size());
  std::transform(halves.begin(), halves.end(), rows.begin(), to_float);
  return rows;
}

Rows read_questions(const std::string& folder) {
  std::ifstream file(folder + "/questions.f32", std::ios::binary | std::ios::ate);
  Rows all(static_cast<size_t>(file.tellg()) / sizeof(float)), some;
  file.seekg(0);
  file.read(reinterpret_cast<char*>(all.data()), static_cast<std::streamsize>(all.size() * sizeof(float)));
  const size_t stride = all.size() / kDimension / kQuestions;
  for (size_t i = 0; i < kQuestions; ++i) {
    some.insert(some.end(), &all[i * stride * kDimension], &all[i * stride * kDimension] + kDimension);
  }
  return some;
}

Rows random_units(size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  Rows rows(count * kDimension);
  for (size_t i = 0; i < count; ++i) {
    float squares = 0;
    for (int j = 0; j < kDimension; ++j) squares += std::pow(rows[i * kDimension + j] = normal(engine), 2.0f);
    for (int j = 0; j < kDimension; ++j) rows[i * kDimension + j] /= std::sqrt(squares);
  }
  return rows;
}

void measure(const faiss::Index& index, const Rows& questions, const Ids& exact, const std::string& what) {
  std::vector<double> times;
  int num_right = 0;
  for (int i = 0; i < kQuestions; ++i) {
    Ids ids(kDepth);
    Rows scores(kDepth);
    const auto begin = std::chrono::steady_clock::now();
    index.search(1, &questions[i * kDimension], kDepth, scores.data(), ids.data());
    times.push_back(milliseconds_since(begin));
    for (auto id : ids) num_right += std::count(&exact[i * kDepth], &exact[i * kDepth] + kDepth, id) > 0;
  }
  std::sort(times.begin(), times.end());
  std::printf("%s: median %.2f ms, 95 %% %.2f ms, recall@10 %.4f\n", what.c_str(), times[kQuestions / 2],
              times[kQuestions * 95 / 100], num_right / double{kQuestions * kDepth});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string folder = argv[1], spec = argv[3];
  const auto count = static_cast<size_t>(std::atol(argv[2]));
  const bool is_random = argc > 4 && std::string(argv[4]) == "--random";
  const Rows vectors = is_random ? random_units(count, 1) : read_vectors(folder, count);
  const Rows questions = is_random ? random_units(kQuestions, 2) : read_questions(folder);

  Ids exact(kQuestions * kDepth);
  {
    faiss::IndexFlatIP flat(kDimension);
    flat.add(static_cast<int64_t>(count), vectors.data());
    Rows scores(exact.size());
    flat.search(kQuestions, questions.data(), kDepth, scores.data(), exact.data());
    if (spec == "Flat") measure(flat, questions, exact, spec);
  }
  if (spec == "Flat") return 0;

  const std::unique_ptr<faiss::Index> index(
      faiss::index_factory(kDimension, spec.c_str(), faiss::METRIC_INNER_PRODUCT));
  Rows sample;
  std::mt19937 engine(3);
  const size_t num_samples = std::min<size_t>(count, 100000);
  for (size_t i = 0; i < num_samples; ++i) {
    const float* row = &vectors[engine() % count * kDimension];
    sample.insert(sample.end(), row, row + kDimension);
  }
  auto begin = std::chrono::steady_clock::now();
  index->train(static_cast<int64_t>(num_samples), sample.data());
  std::printf("%s: trained in %.0f ms, ", spec.c_str(), milliseconds_since(begin));
  begin = std::chrono::steady_clock::now();
  index->add(static_cast<int64_t>(count), vectors.data());
  std::printf("filled in %.0f ms\n", milliseconds_since(begin));

  auto* refine = dynamic_cast<faiss::IndexRefine*>(index.get());
  faiss::Index* base = refine != nullptr ? refine->base_index : index.get();
  if (auto* lists = dynamic_cast<faiss::IndexIVF*>(base)) {
    lists->parallel_mode = 1;  // one question uses all threads
    if (refine != nullptr) refine->k_factor = 50;
    for (int probes : {8, 16, 32, 64, 128, 256}) {
      lists->nprobe = static_cast<size_t>(probes);
      measure(*index, questions, exact, "  " + std::to_string(probes) + " lists");
    }
  } else if (auto* graph = dynamic_cast<faiss::IndexHNSW*>(base)) {
    for (int breadth : {64, 128, 256, 512}) {
      graph->hnsw.efSearch = breadth;
      measure(*index, questions, exact, "  breadth " + std::to_string(breadth));
    }
  } else if (refine != nullptr) {
    for (int factor : {10, 50, 100}) {
      refine->k_factor = static_cast<float>(factor);
      measure(*index, questions, exact, "  " + std::to_string(factor * kDepth) + " refined");
    }
  } else {
    measure(*index, questions, exact, "  all");
  }
}
