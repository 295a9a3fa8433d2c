// The quantizer's arithmetic for JavaScript: `Workbench` and `toAwqGemm` of native/index.ts.
#include <memory>

#include "../build/unpack.h"
#include "../build/workbench.h"
#include "async_work.h"
#include "bindings.h"

namespace quoth {
namespace {

struct WorkbenchHandle final : Handle {
  WorkbenchHandle() : workbench(std::make_shared<Workbench>()) {}
  ~WorkbenchHandle() override {
    if (workbench) workbench->abandon();
  }
  std::shared_ptr<Workbench> workbench;
};

std::shared_ptr<Workbench> workbench_of(const Napi::Value& value) {
  auto& handle = handle_of<WorkbenchHandle>(value);
  if (!handle.workbench) throw Fault(FaultCode::closed, "The workbench was closed.");
  return handle.workbench;
}

int32_t size_of(const Napi::Object& object, const char* name, int64_t least = 0) {
  return static_cast<int32_t>(integer_of(object.Get(name), name, least, INT32_MAX));
}

bool is_absent(const Napi::Value& value) {
  return value.IsUndefined() || value.IsNull();
}

std::string optional_string(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return is_absent(value) ? std::string() : string_of(value, name);
}

std::vector<int32_t> optional_ints(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return is_absent(value) ? std::vector<int32_t>() : copy_ints(value, name);
}

std::vector<std::string> strings_of(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) throw Fault(FaultCode::invalid_input, std::string(name) + " is not an array.");
  const auto array = value.As<Napi::Array>();
  if (array.Length() > 4096) throw Fault(FaultCode::invalid_input, std::string(name) + " is too long.");
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < array.Length(); ++i) strings.push_back(string_of(array.Get(i), name));
  return strings;
}

Napi::Value nothing(Napi::Env env) {
  return env.Undefined();
}

Napi::Value open_js(const Napi::CallbackInfo& info) {
  return guarded(info, [&] { return make_handle(info.Env(), std::make_unique<WorkbenchHandle>()); });
}

Napi::Value close_js(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto& handle = handle_of<WorkbenchHandle>(info[0]);
    if (handle.workbench) handle.workbench->abandon();
    handle.workbench.reset();
    return info.Env().Undefined();
  });
}

struct Put {
  std::vector<uint8_t> bytes;
  std::vector<int32_t> row_order;
  PackJob job;
};

// A checkpoint's matrix, copied.
std::shared_ptr<Put> put_of(const Napi::Object& from) {
  auto put = std::make_shared<Put>();
  put->bytes = copy_bytes(from.Get("bytes"), "bytes");
  const std::string type = string_of(from.Get("from"), "from");
  put->job.from = find_block_format(type);
  if (put->job.from == nullptr) throw Fault(FaultCode::unsupported, "Weights of type " + type + " are not read here.");
  put->job.num_rows = size_of(from, "numRows", 1);
  put->job.num_columns = size_of(from, "numColumns", 1);
  put->job.bytes = put->bytes.data();
  put->job.size_bytes = put->bytes.size();
  put->row_order = optional_ints(from, "rowOrder");
  if (!put->row_order.empty()) {
    if (put->row_order.size() != static_cast<size_t>(put->job.num_rows)) {
      throw Fault(FaultCode::invalid_input, "rowOrder has not numRows values.");
    }
    put->job.row_order = put->row_order.data();
  }
  return put;
}

Napi::Value put_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    auto workbench = workbench_of(info[0]);
    const std::string name = string_of(info[1], "name");
    const Napi::Object from = object_of(info[2], "matrix");
    const std::shared_ptr<Put> put = put_of(from);
    const int32_t first_row = size_of(from, "firstRow"), rows_in_all = size_of(from, "rowsInAll", 1);
    return run_async(
        info.Env(), "quoth.workbenchPut", [=] { workbench->put(name, rows_in_all, first_row, put->job); }, nothing);
  });
}

PieceRun piece_of(const Napi::Value& value) {
  const Napi::Object from = object_of(value, "run");
  PieceRun run;
  run.program = string_of(from.Get("program"), "program");
  run.tensors = strings_of(from.Get("tensors"), "tensors");
  run.input = optional_string(from, "input");
  run.output = optional_string(from, "output");
  run.ids = optional_ints(from, "ids");
  run.targets = optional_ints(from, "targets");
  run.lengths = copy_ints(from.Get("lengths"), "lengths");
  run.output_width = size_of(from, "outputWidth", 1);
  run.context_tokens = size_of(from, "contextTokens", 1);
  run.loss_rows = size_of(from, "lossRows", 1);
  const Napi::Value kv = from.Get("kv");
  if (!is_absent(kv)) {
    const Napi::Object object = object_of(kv, "kv");
    run.kv_layers = static_cast<int32_t>(integer_of(object.Get("numLayers"), "numLayers", 1, 1024));
    run.kv_heads = static_cast<int32_t>(integer_of(object.Get("numHeads"), "numHeads", 1, 4096));
    run.head_size = static_cast<int32_t>(integer_of(object.Get("headSize"), "headSize", 1, 4096));
  }
  const Napi::Value taps = from.Get("taps");
  if (!taps.IsArray()) throw Fault(FaultCode::invalid_input, "taps is not an array.");
  const auto array = taps.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length() && i < 65536; ++i) {
    const Napi::Object tap = object_of(array.Get(i), "taps");
    run.taps.push_back({size_of(tap, "step"), string_of(tap.Get("sample"), "sample")});
  }
  return run;
}

Napi::Value run_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.workbenchRun",
        [workbench = workbench_of(info[0]), run = piece_of(info[1])] { return workbench->run(run); },
        [](Napi::Env env, PieceScore&& score) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          object.Set("nats", score.nats);
          object.Set("numScored", static_cast<double>(score.num_scored));
          return object;
        });
  });
}

Napi::Value search_scale_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.workbenchSearchScale",
        [workbench = workbench_of(info[0]), sample = string_of(info[1], "sample"),
         weights = strings_of(info[2], "weights"),
         group = static_cast<int32_t>(integer_of(info[3], "groupColumns", 32, 128))] {
          return workbench->search_scale(sample, weights, group);
        },
        [](Napi::Env env, ScaleSearch&& found) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          object.Set("scale", make_floats(env, found.scale));
          object.Set("ratio", found.ratio < 0 ? env.Null() : Napi::Number::New(env, found.ratio));
          object.Set("loss", found.loss);
          object.Set("plainLoss", found.plain_loss);
          return object;
        });
  });
}

Napi::Value search_clip_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.workbenchSearchClip",
        [workbench = workbench_of(info[0]), sample = string_of(info[1], "sample"),
         weight = string_of(info[2], "weight"),
         group = static_cast<int32_t>(integer_of(info[3], "groupColumns", 32, 128))] {
          return workbench->search_clip(sample, weight, group);
        },
        [](Napi::Env env, ClipSearch&& found) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          object.Set("loss", found.loss);
          object.Set("plainLoss", found.plain_loss);
          object.Set("numClipped", static_cast<double>(found.num_clipped));
          object.Set("numGroups", static_cast<double>(found.num_groups));
          return object;
        });
  });
}

// (handle, "rows" | "columns" | "sample", name, first, factors)
Napi::Value scale_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    const std::string what = string_of(info[1], "what");
    if (what != "rows" && what != "columns" && what != "sample") {
      throw Fault(FaultCode::invalid_input, "What is scaled is rows, columns or a sample.");
    }
    return run_async(
        info.Env(), "quoth.workbenchScale",
        [what, workbench = workbench_of(info[0]), name = string_of(info[2], "name"),
         first = static_cast<int32_t>(integer_of(info[3], "first", 0, INT32_MAX)),
         factors = copy_floats(info[4], "factors")] {
          if (what == "rows") {
            workbench->scale_rows(name, first, factors);
          } else if (what == "columns") {
            workbench->scale_columns(name, first, factors);
          } else {
            workbench->scale_sample(name, factors);
          }
        },
        nothing);
  });
}

struct Quantized {
  std::vector<uint8_t> packed;
  QuantizeErrors errors;
};

Napi::Value to_js(Napi::Env env, Quantized&& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("bytes", make_bytes(env, result.packed));
  object.Set("weightError", result.errors.weight_error);
  const bool measured = result.errors.output_error >= 0;
  object.Set("outputError", measured ? Napi::Number::New(env, result.errors.output_error) : env.Null());
  return object;
}

Napi::Value quantize_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    const Napi::Object request = object_of(info[2], "request");
    return run_async(
        info.Env(), "quoth.workbenchQuantize",
        [workbench = workbench_of(info[0]), name = string_of(info[1], "matrix"),
         to = plan_type_of(string_of(request.Get("to"), "to")), sample = optional_string(request, "sample"),
         keep = request.Get("keep").ToBoolean().Value()] {
          Quantized result;
          result.packed = workbench->quantize(name, to, sample, keep, &result.errors);
          return result;
        },
        to_js);
  });
}

struct Measured {
  std::vector<uint8_t> packed;
  PackLoss loss;
};

// pack() of build_binding.cc, and what it loses.
Napi::Value pack_measured_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    const Napi::Object request = object_of(info[0], "request");
    const std::shared_ptr<Put> put = put_of(request);
    put->job.to = plan_type_of(string_of(request.Get("to"), "to"));
    return run_async(
        info.Env(), "quoth.packMeasured",
        [put] {
          const PackJob& job = put->job;
          if (const Status status = check_job(job); !status.ok()) throw fault_of(status, "pack");
          Measured result;
          result.packed.resize(packed_bytes(job.to, job.num_rows, job.num_columns));
          if (const Status status = pack(job, result.packed.data()); !status.ok()) throw fault_of(status, "pack");
          const Status status = measure_packed(job, result.packed.data(), &result.loss);
          if (!status.ok()) throw fault_of(status, "pack");
          return result;
        },
        [](Napi::Env env, Measured&& result) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          object.Set("bytes", make_bytes(env, result.packed));
          object.Set("lost", result.loss.lost);
          object.Set("energy", result.loss.energy);
          return object;
        });
  });
}

Napi::Value clear_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    auto workbench = workbench_of(info[0]);
    const std::string name = is_absent(info[1]) ? std::string() : string_of(info[1], "name");
    return run_async(
        info.Env(), "quoth.workbenchClear", [=] { name.empty() ? workbench->clear() : workbench->drop(name); },
        nothing);
  });
}

struct AwqGemm {
  std::vector<uint8_t> qweight, qzeros, scales;
};

Napi::Value to_awq_gemm_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    const int32_t num_rows = static_cast<int32_t>(integer_of(info[1], "numRows", 1, INT32_MAX));
    const int32_t num_columns = static_cast<int32_t>(integer_of(info[2], "numColumns", 1, INT32_MAX));
    return run_async(
        info.Env(), "quoth.toAwqGemm",
        [packed = copy_bytes(info[0], "packed"), num_rows, num_columns] {
          if (packed.size() != packed_bytes(Type::int4_g128, num_rows, num_columns)) {
            throw Fault(FaultCode::invalid_input, "The bytes are not as many as the shape asks for.");
          }
          const size_t words = static_cast<size_t>(num_columns) * static_cast<size_t>(num_rows / 8);
          const size_t groups = static_cast<size_t>(num_columns / 128);
          AwqGemm gemm{std::vector<uint8_t>(words * 4), std::vector<uint8_t>(words / 128 * 4),
                       std::vector<uint8_t>(groups * static_cast<size_t>(num_rows) * 2)};
          const Status status = to_awq_gemm(
              packed.data(), num_rows, num_columns, reinterpret_cast<uint32_t*>(gemm.qweight.data()),
              reinterpret_cast<uint32_t*>(gemm.qzeros.data()), reinterpret_cast<uint16_t*>(gemm.scales.data()));
          if (!status.ok()) throw fault_of(status, "toAwqGemm");
          return gemm;
        },
        [](Napi::Env env, AwqGemm&& gemm) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          object.Set("qweight", make_bytes(env, gemm.qweight));
          object.Set("qzeros", make_bytes(env, gemm.qzeros));
          object.Set("scales", make_bytes(env, gemm.scales));
          return object;
        });
  });
}

}  // namespace

void register_quantize(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("openWorkbench", open_js);
  add("workbenchClose", close_js);
  add("workbenchPut", put_js);
  add("workbenchRun", run_js);
  add("workbenchSearchScale", search_scale_js);
  add("workbenchSearchClip", search_clip_js);
  add("workbenchScale", scale_js);
  add("workbenchQuantize", quantize_js);
  add("workbenchClear", clear_js);
  add("packMeasured", pack_measured_js);
  add("toAwqGemm", to_awq_gemm_js);
}

}  // namespace quoth
