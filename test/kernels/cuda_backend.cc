#include "cuda_backend.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace quoth::test {
namespace {

OpenCudaDevice* open_device = nullptr;
CloseCudaDevice* close_device = nullptr;
const Ops* bare_ops = nullptr;

constexpr uint64_t kGuardBytes = 256;
constexpr uint8_t kGuardByte = 0x5A;

[[noreturn]] void fail(const char* what) {
  std::printf("not ok the CUDA device's mirror: %s\n", what);
  std::exit(1);
}
void must(const Status& status) {
  if (!status.ok()) fail(status.message);
}

struct Span {
  uint8_t* host;
  uint64_t size_bytes;
  uint8_t* gpu;  // where `host` lies on the GPU, after `send`
  uint8_t* memory;
};

// The memory of one call. Spans that overlap (in place, or columns of one buffer) become one.
class Mirror {
 public:
  explicit Mirror(Device* device) : device_(device) {}

  void add(const void* data, uint64_t size_bytes) {
    if (data == nullptr || size_bytes == 0) return;
    Span span{static_cast<uint8_t*>(const_cast<void*>(data)), size_bytes, nullptr, nullptr};
    for (size_t i = 0; i < spans_.size();) {
      Span& other = spans_[i];
      if (other.host >= span.host + span.size_bytes || span.host >= other.host + other.size_bytes) {
        ++i;
        continue;
      }
      uint8_t* end = std::max(span.host + span.size_bytes, other.host + other.size_bytes);
      span.host = std::min(span.host, other.host);
      span.size_bytes = static_cast<uint64_t>(end - span.host);
      spans_.erase(spans_.begin() + static_cast<int64_t>(i));
      i = 0;
    }
    spans_.push_back(span);
  }
  void add(const Rows& rows) {
    if (rows.num_rows > 0) {
      add(rows.data, sizeof(float) * (static_cast<uint64_t>(rows.num_rows - 1) * rows.stride + rows.width));
    }
  }
  void add(const Weight& weight) {
    const uint64_t n = weight.num_rows, k = weight.num_columns;
    const uint64_t columns = static_cast<uint64_t>(record_columns(weight.type));
    add(weight.data, weight.type == Type::f32   ? 4 * n * k
                     : weight.type == Type::f16 ? 2 * n * k
                     : weight.type == Type::f8
                         ? (n * k + 63) / 64 * 64 + 4 * n
                         : (n + 15) / 16 * (k / columns) * static_cast<uint64_t>(record_bytes(weight.type)));
    add(weight.codebook, 16);
  }
  // Up to the last kv page that the batch names.
  void add(const KvPages& pages, const Batch& batch) {
    int32_t last = -1;
    for (int32_t i = 0; i < batch.num_sequences * batch.page_table_stride; ++i) {
      last = std::max(last, batch.page_table[i]);
    }
    const uint64_t page_bytes = static_cast<uint64_t>(pages.num_heads * kv_block_bytes(pages.type, pages.head_size));
    add(pages.keys, page_bytes * static_cast<uint64_t>(last + 1));
    add(pages.values, page_bytes * static_cast<uint64_t>(last + 1));
  }

  void send() {
    std::vector<uint8_t> bytes;
    for (Span& span : spans_) {
      void* memory = nullptr;
      // What follows a multiple of 16 on the host does so on the GPU: kernels choose their loads by it.
      const uint64_t shift = reinterpret_cast<uintptr_t>(span.host) % 64;
      bytes.assign(span.size_bytes + 2 * kGuardBytes + 64, kGuardByte);
      std::memcpy(bytes.data() + kGuardBytes + shift, span.host, span.size_bytes);
      must(bare_ops->allocate(device_, bytes.size(), &memory));
      must(bare_ops->upload(device_, memory, bytes.data(), bytes.size()));
      span.memory = static_cast<uint8_t*>(memory);
      span.gpu = span.memory + kGuardBytes + shift;
    }
  }
  void receive() {
    std::vector<uint8_t> bytes;
    for (Span& span : spans_) {
      bytes.resize(span.size_bytes + 2 * kGuardBytes + 64);
      must(bare_ops->download(device_, bytes.data(), span.memory, bytes.size()));
      bare_ops->release(device_, span.memory);
      const uint64_t start = static_cast<uint64_t>(span.gpu - span.memory);
      for (uint64_t i = 0; i < bytes.size(); ++i) {
        const bool is_guard = i < start || i >= start + span.size_bytes;
        if (is_guard && bytes[i] != kGuardByte) fail("a guard byte on the GPU was overwritten");
      }
      if (std::memcmp(span.host, bytes.data() + start, span.size_bytes) != 0) {
        std::memcpy(span.host, bytes.data() + start, span.size_bytes);
      }
    }
  }

  template <typename T>
  T* gpu(T* host) const {
    if (host == nullptr) return nullptr;
    const auto* at = reinterpret_cast<const uint8_t*>(host);
    for (const Span& span : spans_) {
      if (at >= span.host && at < span.host + span.size_bytes) {
        return reinterpret_cast<T*>(span.gpu + (at - span.host));
      }
    }
    return nullptr;  // of no bytes: never read
  }
  Rows gpu(Rows rows) const {
    rows.data = gpu(rows.data);
    return rows;
  }
  Weight gpu(Weight weight) const {
    weight.data = gpu(static_cast<const uint8_t*>(weight.data));
    weight.codebook = gpu(weight.codebook);
    return weight;
  }
  KvPages gpu(KvPages pages) const {
    pages.keys = gpu(static_cast<uint8_t*>(pages.keys));
    pages.values = gpu(static_cast<uint8_t*>(pages.values));
    return pages;
  }
  Rope gpu(Rope rope) const {
    rope.inverse_frequencies = gpu(rope.inverse_frequencies);
    return rope;
  }

 private:
  Device* device_;
  std::vector<Span> spans_;
};

// run(mirror) once everything is on the GPU.
template <typename Run>
Status mirrored(Mirror& mirror, const Run& run) {
  mirror.send();
  const Status status = run();
  if (status.code == Code::device_lost) fail(status.message);
  mirror.receive();
  return status;
}

Status embed(Device* d, const Weight* table, const Batch* batch, float scale, Rows out) {
  Mirror m(d);
  m.add(*table), m.add(out);
  return mirrored(m, [&] {
    const Weight weight = m.gpu(*table);
    return bare_ops->embed(d, &weight, batch, scale, m.gpu(out));
  });
}
Status add_positions(Device* d, const Weight* table, const Batch* batch, int32_t offset, Rows x) {
  Mirror m(d);
  m.add(*table), m.add(x);
  return mirrored(m, [&] {
    const Weight weight = m.gpu(*table);
    return bare_ops->add_positions(d, &weight, batch, offset, m.gpu(x));
  });
}
Status add_segments(Device* d, const Weight* table, const Batch* batch, Rows x) {
  Mirror m(d);
  m.add(*table), m.add(x);
  return mirrored(m, [&] {
    const Weight weight = m.gpu(*table);
    return bare_ops->add_segments(d, &weight, batch, m.gpu(x));
  });
}
Status gather_outputs(Device* d, Rows x, const Batch* batch, Rows out) {
  Mirror m(d);
  m.add(x), m.add(out);
  return mirrored(m, [&] { return bare_ops->gather_outputs(d, m.gpu(x), batch, m.gpu(out)); });
}
Status linear(Device* d, Rows x, const Weight* weight, const float* bias, Activation activation, Rows out) {
  Mirror m(d);
  m.add(x), m.add(*weight), m.add(out);
  m.add(bias, sizeof(float) * static_cast<uint64_t>(weight->num_rows));
  return mirrored(m, [&] {
    const Weight on_gpu = m.gpu(*weight);
    return bare_ops->linear(d, m.gpu(x), &on_gpu, m.gpu(bias), activation, m.gpu(out));
  });
}
Status linear_fused(Device* d, Rows x, const Weight* weight, const float* bias, Activation activation,
                    const LinearFusion* fusion, Rows out) {
  Mirror m(d);
  const uint64_t columns = sizeof(float) * static_cast<uint64_t>(weight->num_columns);
  m.add(x), m.add(*weight), m.add(out);
  m.add(bias, sizeof(float) * static_cast<uint64_t>(weight->num_rows));
  m.add(fusion->norm_weight, columns), m.add(fusion->norm_bias, columns);
  return mirrored(m, [&] {
    const Weight on_gpu = m.gpu(*weight);
    LinearFusion moved = *fusion;
    moved.norm_weight = m.gpu(fusion->norm_weight);
    moved.norm_bias = m.gpu(fusion->norm_bias);
    return bare_ops->linear_fused(d, m.gpu(x), &on_gpu, m.gpu(bias), activation, &moved, m.gpu(out));
  });
}
uint64_t vector_bytes(const Rows& rows) {
  return sizeof(float) * static_cast<uint64_t>(rows.width);
}
Status rms_norm(Device* d, Rows x, const float* weight, float epsilon, Rows out) {
  Mirror m(d);
  m.add(x), m.add(out), m.add(weight, vector_bytes(x));
  return mirrored(m, [&] { return bare_ops->rms_norm(d, m.gpu(x), m.gpu(weight), epsilon, m.gpu(out)); });
}
Status layer_norm(Device* d, Rows x, const float* weight, const float* bias, float epsilon, Rows out) {
  Mirror m(d);
  m.add(x), m.add(out), m.add(weight, vector_bytes(x)), m.add(bias, vector_bytes(x));
  return mirrored(m,
                  [&] { return bare_ops->layer_norm(d, m.gpu(x), m.gpu(weight), m.gpu(bias), epsilon, m.gpu(out)); });
}
Status rms_norm_heads(Device* d, Rows x, int32_t num_heads, int32_t head_size, const float* weight, float epsilon) {
  Mirror m(d);
  m.add(x), m.add(weight, sizeof(float) * static_cast<uint64_t>(head_size));
  return mirrored(m,
                  [&] { return bare_ops->rms_norm_heads(d, m.gpu(x), num_heads, head_size, m.gpu(weight), epsilon); });
}
Status add_rms_norm(Device* d, Rows x, Rows y, const float* weight, float epsilon, Rows out) {
  Mirror m(d);
  m.add(x), m.add(y), m.add(out), m.add(weight, vector_bytes(x));
  return mirrored(m, [&] { return bare_ops->add_rms_norm(d, m.gpu(x), m.gpu(y), m.gpu(weight), epsilon, m.gpu(out)); });
}
Status add_layer_norm(Device* d, Rows x, Rows y, const float* weight, const float* bias, float epsilon, Rows out) {
  Mirror m(d);
  m.add(x), m.add(y), m.add(out), m.add(weight, vector_bytes(x)), m.add(bias, vector_bytes(x));
  return mirrored(m, [&] {
    return bare_ops->add_layer_norm(d, m.gpu(x), m.gpu(y), m.gpu(weight), m.gpu(bias), epsilon, m.gpu(out));
  });
}
Status add(Device* d, Rows a, Rows b, Rows out) {
  Mirror m(d);
  m.add(a), m.add(b), m.add(out);
  return mirrored(m, [&] { return bare_ops->add(d, m.gpu(a), m.gpu(b), m.gpu(out)); });
}
Status multiply(Device* d, Rows a, Rows b, Rows out) {
  Mirror m(d);
  m.add(a), m.add(b), m.add(out);
  return mirrored(m, [&] { return bare_ops->multiply(d, m.gpu(a), m.gpu(b), m.gpu(out)); });
}
Status add_bias(Device* d, Rows x, const float* bias) {
  Mirror m(d);
  m.add(x), m.add(bias, vector_bytes(x));
  return mirrored(m, [&] { return bare_ops->add_bias(d, m.gpu(x), m.gpu(bias)); });
}
Status activate(Device* d, Rows x, Activation activation, Rows out) {
  Mirror m(d);
  m.add(x), m.add(out);
  return mirrored(m, [&] { return bare_ops->activate(d, m.gpu(x), activation, m.gpu(out)); });
}
Status gated(Device* d, Rows gate_up, Activation activation, Rows out) {
  Mirror m(d);
  m.add(gate_up), m.add(out);
  return mirrored(m, [&] { return bare_ops->gated(d, m.gpu(gate_up), activation, m.gpu(out)); });
}
Status soft_cap(Device* d, Rows x, float cap) {
  Mirror m(d);
  m.add(x);
  return mirrored(m, [&] { return bare_ops->soft_cap(d, m.gpu(x), cap); });
}
Status clamp(Device* d, Rows x, float limit) {
  Mirror m(d);
  m.add(x);
  return mirrored(m, [&] { return bare_ops->clamp(d, m.gpu(x), limit); });
}
Status permute_columns(Device* d, Rows x, const int32_t* index, Rows out) {
  Mirror m(d);
  m.add(x), m.add(out), m.add(index, sizeof(int32_t) * static_cast<uint64_t>(out.width));
  return mirrored(m, [&] { return bare_ops->permute_columns(d, m.gpu(x), m.gpu(index), m.gpu(out)); });
}
void add_rope(Mirror& m, const Rope& rope) {
  m.add(rope.inverse_frequencies, sizeof(float) * static_cast<uint64_t>(rope.rotary_size / 2));
}
Status rope(Device* d, Rows x, int32_t num_heads, int32_t head_size, const Rope* rope, const Batch* batch) {
  Mirror m(d);
  m.add(x), add_rope(m, *rope);
  return mirrored(m, [&] {
    const Rope on_gpu = m.gpu(*rope);
    return bare_ops->rope(d, m.gpu(x), num_heads, head_size, &on_gpu, batch);
  });
}
Status kv_write(Device* d, Rows keys, Rows values, const Batch* batch, KvPages pages) {
  Mirror m(d);
  m.add(keys), m.add(values), m.add(pages, *batch);
  return mirrored(m, [&] { return bare_ops->kv_write(d, m.gpu(keys), m.gpu(values), batch, m.gpu(pages)); });
}
Status rope_kv_write(Device* d, Rows qkv, const Attention* shape, const Rope* rope, const Batch* batch, KvPages pages) {
  Mirror m(d);
  m.add(qkv), add_rope(m, *rope), m.add(pages, *batch);
  return mirrored(m, [&] {
    const Rope on_gpu = m.gpu(*rope);
    return bare_ops->rope_kv_write(d, m.gpu(qkv), shape, &on_gpu, batch, m.gpu(pages));
  });
}
Status attention(Device* d, Rows queries, const Attention* shape, const Batch* batch, KvPages pages, Rows out) {
  Mirror m(d);
  m.add(queries), m.add(out), m.add(pages, *batch);
  m.add(shape->slopes, sizeof(float) * static_cast<uint64_t>(shape->num_heads));
  return mirrored(m, [&] {
    Attention on_gpu = *shape;
    on_gpu.slopes = m.gpu(shape->slopes);
    return bare_ops->attention(d, m.gpu(queries), &on_gpu, batch, m.gpu(pages), m.gpu(out));
  });
}
Status rope_kv_attention(Device* d, Rows qkv, const Attention* shape, const Rope* rope, const Batch* batch,
                         KvPages pages, Rows out) {
  Mirror m(d);
  m.add(qkv), m.add(out), add_rope(m, *rope), m.add(pages, *batch);
  m.add(shape->slopes, sizeof(float) * static_cast<uint64_t>(shape->num_heads));
  return mirrored(m, [&] {
    const Rope turns = m.gpu(*rope);
    Attention on_gpu = *shape;
    on_gpu.slopes = m.gpu(shape->slopes);
    return bare_ops->rope_kv_attention(d, m.gpu(qkv), &on_gpu, &turns, batch, m.gpu(pages), m.gpu(out));
  });
}
Status attention_full(Device* d, Rows queries, Rows keys, Rows values, const Attention* shape, const Batch* batch,
                      Rows out) {
  Mirror m(d);
  m.add(queries), m.add(keys), m.add(values), m.add(out);
  return mirrored(m, [&] {
    return bare_ops->attention_full(d, m.gpu(queries), m.gpu(keys), m.gpu(values), shape, batch, m.gpu(out));
  });
}
Status pool_mean(Device* d, Rows x, const Batch* batch, Rows out) {
  Mirror m(d);
  m.add(x), m.add(out);
  return mirrored(m, [&] { return bare_ops->pool_mean(d, m.gpu(x), batch, m.gpu(out)); });
}
Status pool_first(Device* d, Rows x, const Batch* batch, Rows out) {
  Mirror m(d);
  m.add(x), m.add(out);
  return mirrored(m, [&] { return bare_ops->pool_first(d, m.gpu(x), batch, m.gpu(out)); });
}
Status normalize(Device* d, Rows x) {
  Mirror m(d);
  m.add(x);
  return mirrored(m, [&] { return bare_ops->normalize(d, m.gpu(x)); });
}

Ops mirrored_ops() {
  Ops ops = *bare_ops;  // memory and order as they are
  ops.embed = embed;
  ops.add_positions = add_positions;
  ops.add_segments = add_segments;
  ops.gather_outputs = gather_outputs;
  ops.linear = linear;
  ops.linear_fused = linear_fused;
  ops.rms_norm = rms_norm;
  ops.layer_norm = layer_norm;
  ops.rms_norm_heads = rms_norm_heads;
  ops.add_rms_norm = add_rms_norm;
  ops.add_layer_norm = add_layer_norm;
  ops.add = add;
  ops.multiply = multiply;
  ops.add_bias = add_bias;
  ops.activate = activate;
  ops.gated = gated;
  ops.soft_cap = soft_cap;
  ops.clamp = clamp;
  ops.permute_columns = permute_columns;
  ops.rope = rope;
  ops.kv_write = kv_write;
  ops.rope_kv_write = rope_kv_write;
  ops.attention = attention;
  if (ops.rope_kv_attention != nullptr) ops.rope_kv_attention = rope_kv_attention;
  ops.attention_full = attention_full;
  ops.pool_mean = pool_mean;
  ops.pool_first = pool_first;
  ops.normalize = normalize;
  return ops;
}

}  // namespace

bool open_cuda(const std::string& library, std::string* why) {
#ifdef _WIN32
  HMODULE opened = LoadLibraryA(library.c_str());
  const auto symbol = [&](const char* name) { return reinterpret_cast<void*>(GetProcAddress(opened, name)); };
#else
  void* opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto symbol = [&](const char* name) { return dlsym(opened, name); };
#endif
  if (opened == nullptr) {
    *why = "the library " + library + " cannot be loaded";
    return false;
  }
  open_device = reinterpret_cast<OpenCudaDevice*>(symbol(kOpenCudaDevice));
  close_device = reinterpret_cast<CloseCudaDevice*>(symbol(kCloseCudaDevice));
  if (open_device == nullptr || close_device == nullptr) {
    *why = "the library " + library + " is of another version";
    return false;
  }
  Device* device = nullptr;
  DeviceInfo info{};
  const Status status = open_device(&device, &bare_ops, &info);
  if (!status.ok()) {
    *why = status.message;
    return false;
  }
  std::printf("# %s, %s\n", info.name, info.instructions);
  close_device(device);
  return true;
}

CudaDevice make_cuda_device(int32_t max_tokens, int32_t max_columns) {
  CudaDevice made;
  must(open_device(&made.device, &made.bare, &made.info));
  must(made.bare->reserve(made.device, max_tokens, max_columns));
  static const Ops kMirrored = mirrored_ops();
  made.ops = &kMirrored;
  return made;
}

void close_cuda_device(Device* device) {
  close_device(device);
}

}  // namespace quoth::test
