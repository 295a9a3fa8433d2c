// The vector index for JavaScript. The names are in bindings.h.
#include <memory>

#include "../retrieval/vector_index.h"
#include "async_work.h"
#include "bindings.h"

namespace quoth {
namespace {

// A closed handle is empty. Work in flight holds its own share and ends in peace.
struct IndexHandle final : Handle {
  std::shared_ptr<VectorIndex> index;
};

std::shared_ptr<VectorIndex> index_of(const Napi::Value& value) {
  const IndexHandle& handle = handle_of<IndexHandle>(value);
  if (!handle.index) throw Fault(FaultCode::closed, "The vector index was closed.");
  return handle.index;
}

std::vector<int64_t> ids_of(const Napi::Value& value) {
  const std::vector<double> numbers = copy_doubles(value, "ids");
  std::vector<int64_t> ids;
  ids.reserve(numbers.size());
  for (double number : numbers) {
    // Also false for NaN. What has a fraction would become another id.
    if (!(number >= 1 && number <= 9007199254740991.0) || number != std::floor(number)) {
      throw Fault(FaultCode::invalid_input, "ids holds a number that is not a whole number from 1 to 2^53 - 1.");
    }
    ids.push_back(static_cast<int64_t>(number));
  }
  return ids;
}

std::vector<int64_t> ranges_of(const Napi::Value& value) {
  std::vector<int64_t> pairs = ids_of(value);
  bool in_order = pairs.size() % 2 == 0;
  for (size_t i = 0; in_order && i < pairs.size(); ++i) {
    in_order = i == 0 || (i % 2 == 0 ? pairs[i] > pairs[i - 1] : pairs[i] >= pairs[i - 1]);
  }
  if (!in_order) throw Fault(FaultCode::invalid_input, "within is not pairs of ids in ascending order.");
  return pairs;
}

IndexKind kind_of(const Napi::Value& value) {
  if (value.IsUndefined()) return describe_vector_index().kind;
  const std::string kind = string_of(value, "kind");
  if (kind == "faiss") return IndexKind::faiss;
  if (kind == "exact") return IndexKind::exact;
  throw Fault(FaultCode::invalid_input, "kind is neither faiss nor exact.");
}

Napi::Value undefined(Napi::Env env) {
  return env.Undefined();
}

Napi::Value describe(const Napi::CallbackInfo& info) {
  const IndexReport report = describe_vector_index();
  Napi::Object described = Napi::Object::New(info.Env());
  described.Set("vectorIndex", report.kind == IndexKind::faiss ? "faiss" : "exact");
  described.Set("vectorIndexReason", report.reason);
  return described;
}

Napi::Value open(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    const Napi::Object options = object_of(info[0], "options");
    const auto dimension = static_cast<int32_t>(integer_of(options.Get("dimension"), "dimension", 1, 65536));
    const IndexKind kind = kind_of(options.Get("kind"));
    std::optional<std::vector<uint8_t>> bytes;
    if (const Napi::Value given = options.Get("bytes"); !given.IsUndefined()) bytes = copy_bytes(given, "bytes");
    std::optional<std::pair<std::string, std::string>> saved;
    if (const Napi::Value given = options.Get("saved"); !given.IsUndefined()) {
      const Napi::Object named = object_of(given, "saved");
      saved.emplace(string_of(named.Get("file"), "saved.file"), string_of(named.Get("sha256"), "saved.sha256"));
    }
    return run_async(
        info.Env(), "quoth.openVectorIndex",
        [kind, dimension, bytes = std::move(bytes), saved = std::move(saved)]() -> std::shared_ptr<VectorIndex> {
          if (saved) return open_saved_index(kind, dimension, saved->first, saved->second);
          if (bytes) return open_vector_index(kind, dimension, *bytes);
          return create_vector_index(kind, dimension);
        },
        [](Napi::Env env, std::shared_ptr<VectorIndex>&& index) {
          auto handle = std::make_unique<IndexHandle>();
          handle->index = std::move(index);
          return make_handle(env, std::move(handle));
        });
  });
}

Napi::Value size(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(index_of(info[0])->size()));
  });
}

Napi::Value add(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.vectorIndexAdd",
        [index = index_of(info[0]), ids = ids_of(info[1]), vectors = copy_floats(info[2], "vectors")] {
          index->add(ids, vectors);
        },
        undefined);
  });
}

Napi::Value remove(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.vectorIndexRemove",
        [index = index_of(info[0]), ids = ids_of(info[1])] { index->remove(ids); }, undefined);
  });
}

Napi::Value search(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    const auto limit = static_cast<size_t>(integer_of(info[2], "limit", 0, INT32_MAX));
    std::optional<std::vector<int64_t>> within;
    if (!info[3].IsUndefined()) within = ranges_of(info[3]);
    return run_async(
        info.Env(), "quoth.vectorIndexSearch",
        [index = index_of(info[0]), query = copy_floats(info[1], "query"), limit, within = std::move(within)] {
          if (!within) return index->search(query, limit, nullptr);
          const IdRanges ranges(*within);
          return index->search(query, limit, &ranges);
        },
        [](Napi::Env env, Found&& found) -> Napi::Value {
          Napi::Object answer = Napi::Object::New(env);
          answer.Set("ids", make_doubles(env, std::vector<double>(found.ids.begin(), found.ids.end())));
          answer.Set("scores", make_floats(env, found.scores));
          return answer;
        });
  });
}

Napi::Value serialize(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.vectorIndexSerialize", [index = index_of(info[0])] { return index->serialize(); },
        [](Napi::Env env, std::vector<uint8_t>&& bytes) { return make_bytes(env, bytes); });
  });
}

Napi::Value ids(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.vectorIndexIds", [index = index_of(info[0])] { return index->ids(); },
        [](Napi::Env env, std::vector<int64_t>&& ids) -> Napi::Value {
          return make_doubles(env, std::vector<double>(ids.begin(), ids.end()));
        });
  });
}

Napi::Value save(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.vectorIndexSave",
        [index = index_of(info[0]), file = string_of(info[1], "file")] { return index->save(file); },
        [](Napi::Env env, SavedIndex&& saved) -> Napi::Value {
          Napi::Object answer = Napi::Object::New(env);
          answer.Set("numVectors", static_cast<double>(saved.count));
          answer.Set("lastId", static_cast<double>(saved.last_id));
          answer.Set("sha256", saved.sha256);
          return answer;
        });
  });
}

Napi::Value close(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    std::shared_ptr<VectorIndex> last = std::move(handle_of<IndexHandle>(info[0]).index);
    // Its memory is given back beside JavaScript's thread: for a large index that takes a while.
    return run_async(
        info.Env(), "quoth.vectorIndexClose", [last = std::move(last)]() mutable { last.reset(); }, undefined);
  });
}

}  // namespace

void register_retrieval(Napi::Env env, Napi::Object exports) {
  exports.Set("describeVectorIndex", Napi::Function::New(env, describe));
  exports.Set("openVectorIndex", Napi::Function::New(env, open));
  exports.Set("vectorIndexSize", Napi::Function::New(env, size));
  exports.Set("vectorIndexAdd", Napi::Function::New(env, add));
  exports.Set("vectorIndexRemove", Napi::Function::New(env, remove));
  exports.Set("vectorIndexSearch", Napi::Function::New(env, search));
  exports.Set("vectorIndexSerialize", Napi::Function::New(env, serialize));
  exports.Set("vectorIndexIds", Napi::Function::New(env, ids));
  exports.Set("vectorIndexSave", Napi::Function::New(env, save));
  exports.Set("vectorIndexClose", Napi::Function::New(env, close));
}

}  // namespace quoth
