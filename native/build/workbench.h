// Where the quantizer works on a piece of a model: matrices of f32 under names, tables of hidden states between pieces,
// samples of what linears read. `Workbench` of native/index.ts; the order of the work is in engines/quantize.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../engine/device.h"
#include "awq.h"
#include "pack.h"

namespace quoth {

struct AlignedFloats;

// A piece of a model's program over every row of the calibration text, one sequence after another.
struct PieceRun {
  std::string program;               // JSON: { buffers, steps, output }, as in a plan; its output has rows "outputs"
  std::vector<std::string> tensors;  // what its steps' weights name, by place: matrices, or the table `input`
  std::string input;             // the table that `embed` reads, row for row; empty: `embed` reads a matrix by `ids`
  std::vector<int32_t> ids;      // [T] when `input` is empty
  std::vector<int32_t> lengths;  // rows of each sequence; T in all
  std::string output;            // the table that takes the output; empty: it is not kept
  std::vector<int32_t> targets;  // [T] the id that each row's logits are scored on, -1 = none; empty: no logits
  int32_t output_width = 0;
  int32_t context_tokens = 1;  // positions in a table of positions
  int32_t kv_layers = 0, kv_heads = 0, head_size = 0;
  struct Tap {
    int32_t step = 0;    // its first input
    std::string sample;  // goes there
  };
  std::vector<Tap> taps;
  int32_t loss_rows = 1;  // how many rows of a sample losses are measured on
};

struct PieceScore {
  double nats = 0;  // sum of -ln p(target)
  int64_t num_scored = 0;
};

struct QuantizeErrors {
  double weight_error = 0;   // |W' - W|^2 / |W|^2
  double output_error = -1;  // the same of the output on the sample's rows; -1 without a sample
};

// Every method may be called from any thread and runs alone. Throws Fault; `invalid_input` for a name that is not
// there.
class Workbench {
 public:
  Workbench();
  ~Workbench();

  // Ends what runs with `cancelled`, and all that is asked later.
  void abandon() { abandoned_ = true; }

  // Keeps rows of a matrix [num_rows, columns of the job] from row `first_row` on; the first call makes it.
  void put(const std::string& name, int32_t num_rows, int32_t first_row, const PackJob& job);
  // Forgets every matrix and sample; tables stay.
  void clear();
  // Forgets that matrix or table.
  void drop(const std::string& name);

  PieceScore run(const PieceRun& run);

  ScaleSearch search_scale(const std::string& sample, const std::vector<std::string>& weights, int32_t group_columns);
  ClipSearch search_clip(const std::string& sample, const std::string& weight, int32_t group_columns);
  void scale_rows(const std::string& matrix, int32_t first_row, const std::vector<float>& factors);
  void scale_columns(const std::string& matrix, int32_t first_column, const std::vector<float>& factors);
  void scale_sample(const std::string& sample, const std::vector<float>& factors);

  // The matrix in the plan's layout, clamped as `search_clip` found for it, and what that loses. `sample` may be empty.
  // With `keep` the matrix becomes what the packed one means.
  std::vector<uint8_t> quantize(const std::string& matrix, Type to, const std::string& sample, bool keep,
                                QuantizeErrors* errors);

 private:
  Matrix& matrix(const std::string& name);
  Sample& sample(const std::string& name);
  Bench bench();

  std::mutex mutex_;
  std::atomic<bool> abandoned_{false};
  std::unique_ptr<OpenDevice> device_;
  std::map<std::string, std::unique_ptr<AlignedFloats>> memory_;
  std::map<std::string, Matrix> matrices_;
  std::map<std::string, std::vector<float>> limits_;  // f32 [N, K / group] of matrices that are clamped
  std::map<std::string, Sample> samples_;
  std::map<std::string, std::unique_ptr<AlignedFloats>> tables_;
};

}  // namespace quoth
