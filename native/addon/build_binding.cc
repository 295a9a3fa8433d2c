// The builder's arithmetic for JavaScript: `Builder` of native/index.ts.
#include <memory>
#include <optional>

#include "../build/grouped.h"
#include "../build/pack.h"
#include "async_work.h"
#include "bindings.h"

namespace quoth {
namespace {

struct Request {
  std::vector<uint8_t> bytes;
  std::vector<int32_t> row_order;
  std::vector<int32_t> column_order;
  std::vector<int8_t> codebook;
  PackJob job;
  GroupedJob grouped;
  bool is_grouped = false;
  // The answer, made before the work and filled by it: JavaScript has it when the promise settles, not before.
  Napi::Reference<Napi::Uint8Array> packed;
};

const BlockFormat* format_of(const std::string& name) {
  const BlockFormat* format = find_block_format(name);
  if (format == nullptr) throw Fault(FaultCode::unsupported, "Weights of type " + name + " are not read here.");
  return format;
}

std::vector<int8_t> copy_codebook(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int8_array) {
    throw Fault(FaultCode::invalid_input, "codebook is not an Int8Array.");
  }
  const auto array = value.As<Napi::Int8Array>();
  if (array.ElementLength() != 16) throw Fault(FaultCode::invalid_input, "codebook has not 16 values.");
  return std::vector<int8_t>(array.Data(), array.Data() + 16);
}

// The job points into the request, whose vectors keep their memory when the request is moved.
void fill_job(Request& request, const std::string& from, double num_rows, double num_columns) {
  request.is_grouped = parse_grouped_format(from, &request.grouped.format);
  if (request.is_grouped) {
    request.grouped.num_rows = request.grouped.checkpoint_rows = static_cast<int32_t>(num_rows);
    request.grouped.num_columns = static_cast<int32_t>(num_columns);
    request.grouped.bytes = request.bytes.data();
    request.grouped.size_bytes = request.bytes.size();
    return;
  }
  request.job.from = format_of(from);
  request.job.num_rows = static_cast<int32_t>(num_rows);
  request.job.num_columns = static_cast<int32_t>(num_columns);
  request.job.bytes = request.bytes.data();
  request.job.size_bytes = request.bytes.size();
}

bool is_absent(const Napi::Value& value) {
  return value.IsUndefined() || value.IsNull();
}

Napi::Value to_float32_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    auto request = std::make_shared<Request>();
    request->bytes = copy_bytes(info[0], "bytes");
    fill_job(*request, string_of(info[1], "from"), number_of(info[2], "numRows", 1, INT32_MAX),
             number_of(info[3], "numColumns", 1, INT32_MAX));
    return run_async(
        info.Env(), "quoth.toFloat32",
        [request] {
          const PackJob& job = request->job;
          if (request->is_grouped) {
            const GroupedJob& grouped = request->grouped;
            if (const Status checked = check_grouped_job(grouped); !checked.ok()) throw fault_of(checked, "toFloat32");
            std::vector<float> values(static_cast<size_t>(grouped.num_rows) * static_cast<size_t>(grouped.num_columns));
            const Status status = grouped_to_float32(grouped, values.data());
            if (!status.ok()) throw fault_of(status, "toFloat32");
            return values;
          }
          if (request->bytes.size() != checkpoint_bytes(*job.from, job.num_rows, job.num_columns)) {
            throw Fault(FaultCode::invalid_input, "The bytes are not as many as the shape asks for.");
          }
          std::vector<float> values(static_cast<size_t>(job.num_rows) * static_cast<size_t>(job.num_columns));
          const Status status = to_float32(job, values.data());
          if (!status.ok()) throw fault_of(status, "toFloat32");
          return values;
        },
        [](Napi::Env env, std::vector<float>&& values) { return make_floats(env, values); });
  });
}

Napi::Value pack_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    const Napi::Object from = object_of(info[0], "request");
    auto request = std::make_shared<Request>();
    request->bytes = copy_bytes(from.Get("bytes"), "bytes");
    fill_job(*request, string_of(from.Get("from"), "from"), number_of(from.Get("numRows"), "numRows", 1, INT32_MAX),
             number_of(from.Get("numColumns"), "numColumns", 1, INT32_MAX));
    request->job.to = request->grouped.to = plan_type_of(string_of(from.Get("to"), "to"));
    const int32_t num_rows = request->is_grouped ? request->grouped.num_rows : request->job.num_rows;
    if (!is_absent(from.Get("rowOrder"))) {
      request->row_order = copy_ints(from.Get("rowOrder"), "rowOrder");
      if (request->row_order.size() != static_cast<size_t>(num_rows)) {
        throw Fault(FaultCode::invalid_input, "rowOrder has not numRows values.");
      }
      request->job.row_order = request->grouped.row_order = request->row_order.data();
    }
    if (!is_absent(from.Get("codebook"))) {
      request->codebook = copy_codebook(from.Get("codebook"));
      request->job.codebook = request->grouped.codebook = request->codebook.data();
    }
    if (!is_absent(from.Get("checkpointRows"))) {
      request->grouped.checkpoint_rows =
          static_cast<int32_t>(number_of(from.Get("checkpointRows"), "checkpointRows", 1, INT32_MAX));
    }
    if (!is_absent(from.Get("columnOrder"))) {
      request->column_order = copy_ints(from.Get("columnOrder"), "columnOrder");
      if (!request->is_grouped || request->column_order.size() != static_cast<size_t>(request->grouped.num_columns)) {
        throw Fault(FaultCode::invalid_input, "columnOrder is for weights in groups and has numColumns values.");
      }
      request->grouped.column_order = request->column_order.data();
    }
    // The answer's size is bounded by what the bytes can hold: that is checked here.
    const Status checked = request->is_grouped ? check_grouped_job(request->grouped) : check_job(request->job);
    if (!checked.ok()) throw fault_of(checked, "pack");
    const int32_t num_columns = request->is_grouped ? request->grouped.num_columns : request->job.num_columns;
    const uint64_t size = packed_bytes(request->job.to, num_rows, num_columns);
    request->packed = Napi::Persistent(Napi::Uint8Array::New(info.Env(), size));
    uint8_t* out = request->packed.Value().Data();
    return run_async(
        info.Env(), "quoth.pack",
        [request, out] {
          const Status status = request->is_grouped ? pack_grouped(request->grouped, out) : pack(request->job, out);
          if (!status.ok()) throw fault_of(status, "pack");
        },
        [request](Napi::Env) -> Napi::Value { return request->packed.Value(); });
  });
}

}  // namespace

Type plan_type_of(const std::string& name) {
  if (name == "f32") return Type::f32;
  if (name == "f16") return Type::f16;
  if (name == "q8") return Type::q8;
  if (name == "q4") return Type::q4;
  if (name == "int4_g32") return Type::int4_g32;
  if (name == "int4_g128") return Type::int4_g128;
  if (name == "f8") return Type::f8;
  if (name == "i32") return Type::i32;
  throw Fault(FaultCode::invalid_input, "A plan has no tensors of type " + name + ".");
}

void register_build(Napi::Env env, Napi::Object exports) {
  exports.Set("toFloat32", Napi::Function::New(env, to_float32_js, "toFloat32"));
  exports.Set("pack", Napi::Function::New(env, pack_js, "pack"));
}

}  // namespace quoth
