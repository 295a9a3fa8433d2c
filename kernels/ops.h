// The border between the engine and a device: the operations that a device offers.
//
// A kernel never allocates, never sees a sequence's history or a request; the engine never sees a grid size or a
// thread. Every pointer is device memory of the device that the operation belongs to, but for `Batch`, whose arrays are
// host memory. Operations of one device run in the order in which they are called; `synchronize` waits for the last of
// them. A result does not depend on what else is in the batch: a row gives the same bits alone and among others. On a
// GPU `linear` has two families of kernels, for up to 8 rows and for more: a row's bits are the same within each.
#pragma once

#include "chance.h"
#include "error.h"
#include "tensor.h"

namespace quoth {

enum class Activation : int32_t { none = 0, silu = 1, gelu = 2 /* erf */, gelu_tanh = 3, relu = 4, tanh = 5 };

struct Rope {
  const float* inverse_frequencies = nullptr;  // f32 [R / 2]
  int32_t rotary_size = 0;                     // R: leading columns of a head that turn; the rest passes
  bool adjacent_pairs = false;  // pairs (2i, 2i+1) as in GPT-J; else (i, i + R/2) as in Hugging Face's Llama
  float factor = 1;             // of sine and cosine (YaRN, arXiv 2309.00071; LongRoPE, arXiv 2402.13753)
};

struct Attention {
  int32_t num_heads = 0;     // H
  int32_t num_kv_heads = 0;  // G, divides H
  int32_t head_size = 0;     // d
  float scale = 0;           // usually 1 / sqrt(d)
  int32_t window = 0;        // a row sees itself and the window - 1 rows before it; 0 = all
  float soft_cap = 0;        // c: scores become c tanh(score / c) (Gemma 2, arXiv 2408.00118); 0 = they stay
  // f32 [H] or null: score += slope of the head * (key's position - row's position), after the cap, before the mask
  // (ALiBi, arXiv 2108.12409). Not for attention_full.
  const float* slopes = nullptr;
};

// What a device may do in the same call as a linear. T rows x [T, K], weight [N, K].
struct LinearFusion {
  enum class Norm : int32_t { none = 0, rms = 1, layer = 2 };
  // Before: each row of x is normed; x itself stays. As rms_norm and layer_norm.
  Norm norm = Norm::none;
  const float* norm_weight = nullptr;  // f32 [K]
  const float* norm_bias = nullptr;    // f32 [K], layer norm only
  float epsilon = 0;
  // After the bias: N = 2 F, and out [T, F] = act(first half) * second half, as `gated`. `activation` is then that of
  // the gate.
  bool is_gated = false;
  // Last: the result is added to what out holds (the residual).
  bool adds = false;
};

// How one row of logits becomes an id; native/engine/sampler.h says what the numbers do, and in which order.
struct LogitBias {
  int32_t id;
  float bias;
};
struct TokenCount {
  int32_t id;
  int32_t num_all;     // in prompt and output, at least 1
  int32_t num_output;  // in the output
};
inline constexpr int32_t kMaxLaterIds = 8;
inline constexpr int32_t kMaxTopIds = 20;
struct SampleRow {
  float temperature = 0;  // 0: the best
  int32_t top_k = 0;
  double top_p = 1;
  double min_p = 0;
  float repetition_penalty = 1;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  uint64_t seed = 0;
  uint64_t index = 0;    // of the random number
  int32_t num_top = -1;  // log-probabilities: of the chosen id and so many of the likeliest; -1 = none are wanted
  int32_t num_biases = 0;
  const LogitBias* biases = nullptr;  // each id once
  int32_t num_counts = 0;
  const TokenCount* counts = nullptr;  // each id once; read only when there is a penalty
  // Ids of the output that are not in `counts` yet; -1 - r: the one that the last `sample` chose for its row r.
  int32_t num_later = 0;
  int32_t later_ids[kMaxLaterIds] = {};
};
// What was chosen. The log-probability of an id is its logit - best_logit - ln(weights / 2^41), before bias and
// penalties (kernels/chance.h).
struct SampledRow {
  int32_t id = -1;  // -1: no logit is a number, or the best is infinite
  float logit = 0;  // of the id; from here on only with num_top >= 0
  float best_logit = 0;
  uint64_t weights = 0;         // the sum of weight_of(best_logit - logit, rate_of(1))
  int32_t top_ids[kMaxTopIds];  // num_top, likeliest first; of equals the lower id first
  float top_logits[kMaxTopIds];
};

// One call of `linear` or `linear_fused`.
struct LinearCall {
  Rows x;
  const Weight* weight = nullptr;
  const float* bias = nullptr;
  Activation activation = Activation::none;
  LinearFusion fusion;
  Rows out;
};
// One call of `rope_kv_attention`.
struct AttentionCall {
  Rows qkv;
  const Attention* attention = nullptr;
  const Rope* rope = nullptr;
  const Batch* batch = nullptr;
  KvPages pages;
  Rows out;
};
inline constexpr int32_t kOwnWay = -1;  // the one that the device chooses by itself

struct Device;  // opaque: threads and scratch of a CPU, stream and handles of a GPU

struct Ops {
  // -- memory and order --------------------------------------------------------------------------------------------
  Status (*allocate)(Device*, uint64_t size_bytes, void** memory);  // 64-byte aligned, not cleared
  void (*release)(Device*, void* memory);
  Status (*upload)(Device*, void* to, const void* from_host, uint64_t size_bytes);
  Status (*download)(Device*, void* to_host, const void* from, uint64_t size_bytes);
  // A download that does not wait: what `from` holds once the operations before are done is copied while later ones may
  // be called. `finish_download` waits for the oldest, of the same size. At most two may be unfinished. `unsupported`
  // when it is larger than the device has room for: nothing is started then. Null where `download` is as good.
  Status (*start_download)(Device*, const void* from, uint64_t size_bytes);
  Status (*finish_download)(Device*, void* to_host);
  Status (*synchronize)(Device*);
  // Scratch that the operations need for steps of up to T rows and weights of up to K columns; called once, at load.
  Status (*reserve)(Device*, int32_t max_tokens, int32_t max_columns);
  // What `allocate` could give now, about, and what the device has in all; 0 = it cannot be told. May be null: the
  // same.
  Status (*memory)(Device*, uint64_t* free_bytes, uint64_t* total_bytes);
  // About what the device takes beside what is allocated: the scratch of `reserve`, and what it keeps of steps that it
  // recorded. May be null: next to nothing.
  uint64_t (*working_bytes)(const Device*, int32_t max_tokens, int32_t max_columns);

  // A step's operations stand between these two; null on a device that needs no such frame. After `begin_step` with
  // `*replayed` true the device does again what it recorded for a step of this shape by the same caller (`program`),
  // with the arrays of this batch, and the operations must not be called. Otherwise they must, all of them and in
  // order, with this batch. The batch's arrays may be changed once `begin_step` is back. `is_whole` false: an operation
  // failed or was left out. `*again` true: nothing was done, and the caller starts again with `begin_step`. What was
  // recorded is forgotten when memory is released or reserved.
  Status (*begin_step)(Device*, const void* program, const Batch*, bool* replayed);
  Status (*end_step)(Device*, bool is_whole, bool* again);

  // -- rows from tokens --------------------------------------------------------------------------------------------
  // out[t] = table[ids[t]] * scale                            table  any but i32 [V, D] out [T, D]
  Status (*embed)(Device*, const Weight* table, const Batch*, float scale, Rows out);
  // x[t] += table[positions[t] + offset]                      table  f32/f16 [L, D]     x [T, D]
  Status (*add_positions)(Device*, const Weight* table, const Batch*, int32_t offset, Rows x);
  // x[t] += table[segments[t]], or table[0] without segments  table  f32/f16 [L, D]     x [T, D]
  Status (*add_segments)(Device*, const Weight* table, const Batch*, Rows x);
  // out[o] = x[output_rows[o]]                                x [T, D]                  out [O, D]
  Status (*gather_outputs)(Device*, Rows x, const Batch*, Rows out);

  // -- linear algebra ----------------------------------------------------------------------------------------------
  // out = act(x W^T + bias)      x [T, K]   weight any but i32 [N, K]   bias f32 [N] or null   out [T, N], not x
  // f32, f16 and f8 weights: products and sums in f32. q8, q4 and int4: x is rounded to 16 bits (the largest magnitude
  // of 32 columns becomes 32512), sums of 32 products are exact, groups are added in f32 in an order of K alone. With 8
  // bits for x a model with 4-bit weights is measurably another one (kernels/README.md).
  // On a GPU, up to 8 rows: x keeps 16 bits of its mantissa; then so too, but by 128 columns for int4_g128; for f16 and
  // f8 weights x is rounded to f16, after its 128 columns were scaled by a power of two, and sums are f32. More rows: x
  // is rounded to f16, after its row was scaled by a power of two so that nothing leaves f16's range; so is a weight,
  // after its zero point was taken from it; products are exact, sums f32 in an order of K alone. An int4 scale of 128
  // and more, or a weight past f16's range, becomes infinite: no model has such. Both leave f32 weights, and rows of
  // f16 or f8 that are not whole 16-byte pieces, to products and sums in f32.
  Status (*linear)(Device*, Rows x, const Weight* weight, const float* bias, Activation, Rows out);
  // The same with what stands in the fusion around it. Null on a device that has nothing of the kind.
  Status (*linear_fused)(Device*, Rows x, const Weight* weight, const float* bias, Activation, const LinearFusion*,
                         Rows out);

  // -- tuning: null on a device that has one way to do each thing ----------------------------------------------------
  // In how many ways (shapes of tiles, depths of rings) such a linear could be done, beside the one that the device
  // chooses by itself; 0: there is nothing to choose. Every way gives the same bits: it is of the same family of
  // kernels, in which the order of a row's sums depends on K alone. So a choice changes times and no answer.
  int32_t (*count_ways)(Device*, const LinearCall*);
  // Does the calls one after another in that way (0 to count_ways - 1, or kOwnWay), waits, and gives how long the
  // device took for all. Not in a frame. `unsupported` where this device or this shape has not this way.
  Status (*time_way)(Device*, const LinearCall* calls, int32_t num_calls, int32_t way, double* milliseconds);
  // From now on, calls with a weight of this type and shape, the same gate, and so many rows are done in that way.
  Status (*choose_way)(Device*, const LinearCall*, int32_t least_rows, int32_t most_rows, int32_t way);
  // The same of attention with a row of each sequence: how many blocks share a context. From then on for heads of this
  // shape, pages of this type, longest contexts of as many pages (rounded up to a power of two), and so many sequences.
  int32_t (*count_attention_ways)(Device*, const AttentionCall*);
  Status (*time_attention_way)(Device*, const AttentionCall* calls, int32_t num_calls, int32_t way,
                               double* milliseconds);
  Status (*choose_attention_way)(Device*, const AttentionCall*, int32_t least_rows, int32_t most_rows, int32_t way);

  // -- norms: weight f32 [D], bias f32 [D]; sums in f32 or better ----------------------------------------------------
  // out = x / sqrt(mean(x^2) + epsilon) * weight              out may be x
  Status (*rms_norm)(Device*, Rows x, const float* weight, float epsilon, Rows out);
  // out = (x - mean(x)) / sqrt(var(x) + epsilon) * weight + bias
  Status (*layer_norm)(Device*, Rows x, const float* weight, const float* bias, float epsilon, Rows out);
  // Each head of x ([T, heads * d]) by itself, in place: x / sqrt(mean(x^2) + epsilon) * weight      weight f32 [d]
  Status (*rms_norm_heads)(Device*, Rows x, int32_t num_heads, int32_t head_size, const float* weight, float epsilon);
  // x += y, then out = norm(x): the residual's add and the norm after it in one pass. out must be neither x nor y.
  Status (*add_rms_norm)(Device*, Rows x, Rows y, const float* weight, float epsilon, Rows out);
  Status (*add_layer_norm)(Device*, Rows x, Rows y, const float* weight, const float* bias, float epsilon, Rows out);

  // -- element by element --------------------------------------------------------------------------------------------
  Status (*add)(Device*, Rows a, Rows b, Rows out);              // out = a + b; out may be a or b
  Status (*multiply)(Device*, Rows a, Rows b, Rows out);         // out = a * b
  Status (*add_bias)(Device*, Rows x, const float* bias);        // x += bias [D]
  Status (*activate)(Device*, Rows x, Activation, Rows out);     // out = act(x); out may be x
  Status (*gated)(Device*, Rows gate_up, Activation, Rows out);  // gate_up [T, 2F]; out [T, F] = act(gate) * up
  Status (*soft_cap)(Device*, Rows x, float cap);                // x = cap * tanh(x / cap)
  Status (*clamp)(Device*, Rows x, float limit);                 // x = min(max(x, -limit), limit); a NaN stays one
  // out[t, i] = x[t, index[i]]    x [T, D]   index i32 [K], each from 0 to D - 1   out [T, K], not x
  Status (*permute_columns)(Device*, Rows x, const int32_t* index, Rows out);

  // -- attention -----------------------------------------------------------------------------------------------------
  // Turns the heads of x ([T, heads * d]) in place by the rows' positions (RoFormer, arXiv 2104.09864).
  Status (*rope)(Device*, Rows x, int32_t num_heads, int32_t head_size, const Rope*, const Batch*);
  // Stores keys and values ([T, G * d]) at their rows' positions in the kv pages.
  Status (*kv_write)(Device*, Rows keys, Rows values, const Batch*, KvPages);
  // rope on q and k, then kv_write of k and v, on one qkv buffer [T, (H + 2G) * d].
  Status (*rope_kv_write)(Device*, Rows qkv, const Attention*, const Rope*, const Batch*, KvPages);
  // Causal attention of each row over its sequence's pages, which hold this step's rows already; rows of a sequence
  // have consecutive positions. What a row does not see changes no bit of its result, and may hold anything.
  //   queries [T, H * d]   out [T, H * d]; softmax and sums in f32
  // A GPU rounds queries and probabilities to f16 where d is a multiple of 8 and pages are not f32; there a row gives
  // the same bits among sequences of up to 8 rows in the step, and the same among longer ones, but not in both.
  Status (*attention)(Device*, Rows queries, const Attention*, const Batch*, KvPages, Rows out);
  // rope_kv_write, then attention of the queries in qkv's first H * d columns; qkv is then undefined. Null on a device
  // that has nothing of the kind.   out [T, H * d], not a view of qkv
  Status (*rope_kv_attention)(Device*, Rows qkv, const Attention*, const Rope*, const Batch*, KvPages, Rows out);
  // Attention of each row over all rows of its sequence in this step: encoders.  q, k, v, out [T, H * d]
  // A GPU rounds q, k, v and probabilities to f16 where d is a multiple of 8.
  Status (*attention_full)(Device*, Rows queries, Rows keys, Rows values, const Attention*, const Batch*, Rows out);

  // -- the ends ------------------------------------------------------------------------------------------------------
  // out[b] = mean of the rows of sequence b                   x [T, D]   out [B, D]
  Status (*pool_mean)(Device*, Rows x, const Batch*, Rows out);
  // out[b] = first row of sequence b
  Status (*pool_first)(Device*, Rows x, const Batch*, Rows out);
  // x[i] /= max(|x[i]|, 1e-12)
  Status (*normalize)(Device*, Rows x);

  // Chooses an id for each row of logits ([O, V], changed by bias and penalties), as native/engine/sampler.h says, the
  // same as the CPU chooses; null where the engine is to do it. Not in a frame; does not wait. `unsupported` when the
  // rows or the lists are more than the device has room for: nothing is enqueued then. rows [O], on the host
  Status (*sample)(Device*, Rows logits, const SampleRow* rows);
  // What the oldest `sample` that was not read chose; waits for it. At most two may be unread.   rows [its O]
  Status (*read_samples)(Device*, SampledRow* rows);
};

// What a device says of itself.
struct DeviceInfo {
  char name[128];                  // "AMD EPYC 9B45"
  char instructions[32];           // "avx512-vnni", "avx-vnni", "avx2", "plain"; or "sm_89"
  int32_t num_threads;             // CPU only
  double memory_bytes_per_second;  // what its memory could give at best; 0 = it does not say
  // GPU only. Times measured on one are good for another with the same name, instructions and these three.
  int32_t num_multiprocessors;
  char driver[32];   // "580.159.04"
  char kernels[32];  // of what the kernels were built from
};

// Opens the CPU. num_threads 0 = one per physical core. `instructions` null = the best this CPU has; or one of the
// names above, to compare the plain loops with the vector files.
Status open_cpu_device(int32_t num_threads, const char* instructions, Device** device, const Ops** ops,
                       DeviceInfo* info);
void close_cpu_device(Device* device);

// What the shared library quoth_kernels_cuda exports with C names; it is opened at run time, so nothing links to it.
// `quoth_open_cuda_device` opens the first GPU: `unsupported` where there is no driver, no GPU, or one that is too old.
using OpenCudaDevice = Status(Device** device, const Ops** ops, DeviceInfo* info);
using CloseCudaDevice = void(Device* device);
inline constexpr char kOpenCudaDevice[] = "quoth_open_cuda_device";
inline constexpr char kCloseCudaDevice[] = "quoth_close_cuda_device";

}  // namespace quoth
