// The engine, for native/load.ts: JavaScript's values in and out, nothing else. What is exported stands in bindings.h.
#include <napi.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../engine/engine.h"
#include "../program/fuse.h"
#include "async_work.h"
#include "bindings.h"
#include "settle.h"

namespace quoth {
namespace {

struct EngineHandle final : Handle {
  explicit EngineHandle(std::shared_ptr<Engine> held) : engine(std::move(held)) {}
  std::shared_ptr<Engine> engine;
};

struct GenerationHandle final : Handle {
  GenerationHandle(std::shared_ptr<Engine> of, std::shared_ptr<Generation> held)
      : engine(std::move(of)), generation(std::move(held)) {}
  ~GenerationHandle() override {
    engine->cancel(generation, [](Outcome<bool>) {});  // collected: nobody can ask any more
  }
  std::shared_ptr<Engine> engine;
  std::shared_ptr<Generation> generation;
};

const char* name_of(DeviceKind kind) {
  return kind == DeviceKind::cuda ? "cuda" : "cpu";
}

// A member that may be absent: 0 then.
int64_t optional_integer(const Napi::Object& object, const char* name, int64_t most) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? 0 : integer_of(value, name, 0, most);
}

void set_kv_type(Napi::Object& object, Type type) {
  const char* name = type == Type::f32   ? "f32"
                     : type == Type::f16 ? "f16"
                     : type == Type::i8  ? "i8"
                     : type == Type::f8  ? "f8"
                                         : nullptr;
  if (name != nullptr) object.Set("kvType", name);
}
KvChoice kv_choice_of(const std::string& name) {
  constexpr std::pair<const char*, KvChoice> kChoices[] = {{"plan", KvChoice::plan}, {"auto", KvChoice::automatic},
                                                           {"f32", KvChoice::f32},   {"f16", KvChoice::f16},
                                                           {"i8", KvChoice::i8},     {"f8", KvChoice::f8}};
  for (const auto& [known, choice] : kChoices) {
    if (name == known) return choice;
  }
  throw Fault(FaultCode::invalid_input, "kvType is none of plan, auto, f32, f16, i8 and f8.");
}

EngineOptions options_of(const Napi::Value& value) {
  const Napi::Object object = object_of(value, "options");
  EngineOptions options;
  options.plan = string_of(object.Get("plan"), "plan");
  const Napi::Value device = object.Get("device");
  if (!device.IsUndefined()) {
    const std::string name = string_of(device, "device");
    if (name != "cpu" && name != "cuda") throw Fault(FaultCode::invalid_input, "device is not \"cpu\" or \"cuda\".");
    options.device = name == "cpu" ? DeviceChoice::cpu : DeviceChoice::cuda;
  }
  options.num_threads = static_cast<int32_t>(optional_integer(object, "numThreads", INT32_MAX));
  options.kv_tokens = optional_integer(object, "kvTokens", int64_t{1} << 53);
  options.min_kv_tokens = optional_integer(object, "minKvTokens", int64_t{1} << 53);
  options.memory_bytes = optional_integer(object, "memoryBytes", int64_t{1} << 53);
  options.step_tokens = static_cast<int32_t>(optional_integer(object, "stepTokens", INT32_MAX));
  const Napi::Value kv_type = object.Get("kvType");
  if (!kv_type.IsUndefined()) options.kv_type = kv_choice_of(string_of(kv_type, "kvType"));
  const Napi::Value tune = object.Get("tune");
  if (!tune.IsUndefined()) {
    if (!tune.IsBoolean()) throw Fault(FaultCode::invalid_input, "tune is not a boolean.");
    options.tunes = tune.As<Napi::Boolean>().Value();
  }
  const Napi::Value tuning_file = object.Get("tuningFile");
  if (!tuning_file.IsUndefined()) options.tuning_file = string_of(tuning_file, "tuningFile");
  return options;
}

GenerateRequest request_of(const Napi::Value& value) {
  const Napi::Object object = object_of(value, "request");
  GenerateRequest request;
  request.ids = copy_ints(object.Get("ids"), "ids");
  request.max_tokens = static_cast<int32_t>(integer_of(object.Get("maxTokens"), "maxTokens", 1, INT32_MAX));
  const Napi::Value stop_ids = object.Get("stopIds");
  if (!stop_ids.IsArray()) throw Fault(FaultCode::invalid_input, "stopIds is not an array.");
  const auto array = stop_ids.As<Napi::Array>();
  if (array.Length() > 4096) throw Fault(FaultCode::invalid_input, "stopIds holds more than 4096 ids.");
  for (uint32_t i = 0; i < array.Length(); ++i) {
    request.stop_ids.push_back(static_cast<int32_t>(integer_of(array.Get(i), "stopIds", 0, INT32_MAX)));
  }
  const Napi::Object sampling = object_of(object.Get("sampling"), "sampling");
  const double huge = 1e300;  // the engine knows the ranges
  request.sampling.temperature = number_of(sampling.Get("temperature"), "sampling.temperature", -huge, huge);
  request.sampling.top_k = static_cast<int32_t>(integer_of(sampling.Get("topK"), "sampling.topK", 0, INT32_MAX));
  request.sampling.top_p = number_of(sampling.Get("topP"), "sampling.topP", -huge, huge);
  request.sampling.min_p = number_of(sampling.Get("minP"), "sampling.minP", -huge, huge);
  request.sampling.repetition_penalty =
      number_of(sampling.Get("repetitionPenalty"), "sampling.repetitionPenalty", -huge, huge);
  const auto optional_number = [&](const char* name) {
    const Napi::Value number = sampling.Get(name);
    return number.IsUndefined() ? 0 : number_of(number, (std::string("sampling.") + name).c_str(), -huge, huge);
  };
  request.sampling.presence_penalty = optional_number("presencePenalty");
  request.sampling.frequency_penalty = optional_number("frequencyPenalty");
  const Napi::Value bias = sampling.Get("logitBias");
  if (!bias.IsUndefined()) {
    if (!bias.IsArray()) throw Fault(FaultCode::invalid_input, "sampling.logitBias is not an array.");
    const auto pairs = bias.As<Napi::Array>();
    if (pairs.Length() > 4096) throw Fault(FaultCode::invalid_input, "sampling.logitBias holds more than 4096 pairs.");
    for (uint32_t i = 0; i < pairs.Length(); ++i) {
      const Napi::Object pair = object_of(pairs.Get(i), "A pair in sampling.logitBias");
      request.sampling.logit_bias.emplace_back(
          static_cast<int32_t>(integer_of(pair.Get(uint32_t{0}), "An id in sampling.logitBias", 0, INT32_MAX)),
          number_of(pair.Get(uint32_t{1}), "A number in sampling.logitBias", -huge, huge));
    }
  }
  const Napi::Value num_top = object.Get("logProbabilities");
  if (!num_top.IsUndefined()) {
    request.num_top = static_cast<int32_t>(integer_of(num_top, "logProbabilities", 0, INT32_MAX));
  }
  request.sampling.seed =
      static_cast<uint64_t>(integer_of(sampling.Get("seed"), "sampling.seed", 0, (int64_t{1} << 53) - 1));
  request.priority = number_of(object.Get("priority"), "priority", -huge, huge);
  const Napi::Value speculation = object.Get("speculation");
  if (!speculation.IsUndefined()) {
    const std::string name = string_of(speculation, "speculation");
    if (name != "auto" && name != "always" && name != "off") {
      throw Fault(FaultCode::invalid_input, "speculation is not \"auto\", \"always\" or \"off\".");
    }
    request.speculation = name == "auto"     ? Speculation::automatic
                          : name == "always" ? Speculation::always
                                             : Speculation::off;
  }
  return request;
}

Napi::Value to_js(Napi::Env env, const EngineInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("architecture", info.architecture);
  object.Set("role", info.role == Role::chat ? "chat" : info.role == Role::embedder ? "embedder" : "reranker");
  object.Set("device", name_of(info.device));
  object.Set("numThreads", info.num_threads);
  object.Set("memoryBytesPerSecond", info.memory_bytes_per_second);
  object.Set("vocabularySize", info.vocabulary_size);
  object.Set("contextTokens", info.context_tokens);
  object.Set("kvTokens", info.kv_tokens);
  set_kv_type(object, info.kv_type);
  object.Set("embeddingSize", info.embedding_size);
  object.Set("weightBytes", static_cast<double>(info.weight_bytes));
  object.Set("kvBytes", static_cast<double>(info.kv_bytes));
  object.Set("activationBytes", static_cast<double>(info.activation_bytes));
  return object;
}

Napi::Value to_js(Napi::Env env, const Spread& spread) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("mean", spread.mean);
  object.Set("p50", spread.p50);
  object.Set("p95", spread.p95);
  return object;
}

Napi::Value to_js(Napi::Env env, const MemoryPlan& memory) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, uint64_t value) { object.Set(name, static_cast<double>(value)); };
  object.Set("device", name_of(memory.device));
  object.Set("fits", memory.fits);
  object.Set("sentence", memory.sentence);
  set("totalBytes", memory.total_bytes);
  set("freeBytes", memory.free_bytes);
  set("neededBytes", memory.needed_bytes());
  set("weightBytes", memory.weight_bytes);
  set("activationBytes", memory.activation_bytes);
  set("workingBytes", memory.working_bytes);
  set("kvBytes", memory.kv_bytes());
  set("kvTokens", static_cast<uint64_t>(memory.num_pages) * kPageTokens);
  set("wantedKvTokens", static_cast<uint64_t>(memory.wanted_pages) * kPageTokens);
  set_kv_type(object, memory.kv_type);
  return object;
}

Napi::Value to_js(Napi::Env env, const TuningReport& report) {
  using State = TuningReport::State;
  Napi::Object object = Napi::Object::New(env);
  object.Set("state", report.state == State::nothing  ? "nothing"
                      : report.state == State::off    ? "off"
                      : report.state == State::tuning ? "tuning"
                      : report.state == State::tuned  ? "tuned"
                                                      : "stopped");
  object.Set("numTasks", report.num_tasks);
  object.Set("numMeasured", report.num_measured);
  object.Set("numChanged", report.num_changed);
  object.Set("numKnown", report.num_known);
  object.Set("numTimings", report.num_timings);
  object.Set("spentMs", report.spent_ms);
  object.Set("gain", report.gain);
  object.Set("reason", report.reason);
  return object;
}

Napi::Value to_js(Napi::Env env, const EngineStats& stats) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("numRunning", stats.num_running);
  object.Set("numWaiting", stats.num_waiting);
  object.Set("kvPagesTotal", stats.kv_pages_total);
  object.Set("kvPagesFree", stats.kv_pages_free);
  object.Set("kvPagesCached", stats.kv_pages_cached);
  object.Set("numSteps", static_cast<double>(stats.num_steps));
  object.Set("promptTokens", static_cast<double>(stats.prompt_tokens));
  object.Set("cachedTokens", static_cast<double>(stats.cached_tokens));
  object.Set("outputTokens", static_cast<double>(stats.output_tokens));
  object.Set("draftedTokens", static_cast<double>(stats.drafted_tokens));
  object.Set("acceptedTokens", static_cast<double>(stats.accepted_tokens));
  object.Set("numFinished", static_cast<double>(stats.num_finished));
  object.Set("ttftMs", to_js(env, stats.ttft_ms));
  object.Set("tokenMs", to_js(env, stats.token_ms));
  object.Set("latencyMs", to_js(env, stats.latency_ms));
  object.Set("busyMs", stats.busy_ms);
  object.Set("decodeMs", stats.decode_ms);
  object.Set("decodeTokens", static_cast<double>(stats.decode_tokens));
  object.Set("decodeBytes", static_cast<double>(stats.decode_bytes));
  object.Set("tuning", to_js(env, stats.tuning));
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<TokenScore>& scores) {
  Napi::Array array = Napi::Array::New(env, scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    Napi::Array top = Napi::Array::New(env, scores[i].top.size());
    for (size_t j = 0; j < scores[i].top.size(); ++j) {
      Napi::Object one = Napi::Object::New(env);
      one.Set("id", scores[i].top[j].first);
      one.Set("logProbability", scores[i].top[j].second);
      top.Set(static_cast<uint32_t>(j), one);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("logProbability", scores[i].log_probability);
    object.Set("top", top);
    array.Set(static_cast<uint32_t>(i), object);
  }
  return array;
}

Napi::Value to_js(Napi::Env env, const Event& event) {
  Napi::Object object = Napi::Object::New(env);
  switch (event.kind) {
    case Event::Kind::started:
      object.Set("type", "started");
      object.Set("numPromptTokens", event.num_prompt_tokens);
      object.Set("numCachedTokens", event.num_cached_tokens);
      break;
    case Event::Kind::tokens:
      object.Set("type", "tokens");
      object.Set("ids", make_ints(env, event.ids));
      if (!event.scores.empty()) object.Set("logProbabilities", to_js(env, event.scores));
      break;
    case Event::Kind::finished:
      object.Set("type", "finished");
      object.Set("reason", event.stopped ? "stop" : "length");
      object.Set("numOutputTokens", event.num_output_tokens);
      object.Set("ttftMs", event.ttft_ms);
      object.Set("decodeMs", event.decode_ms);
      break;
  }
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<Event>& events) {
  Napi::Array array = Napi::Array::New(env, events.size());
  for (size_t i = 0; i < events.size(); ++i) array.Set(static_cast<uint32_t>(i), to_js(env, events[i]));
  return array;
}

std::vector<std::vector<int32_t>> copy_sequences(const Napi::Value& value) {
  if (!value.IsArray()) throw Fault(FaultCode::invalid_input, "sequences is not an array.");
  const auto array = value.As<Napi::Array>();
  std::vector<std::vector<int32_t>> sequences;
  for (uint32_t i = 0; i < array.Length(); ++i) sequences.push_back(copy_ints(array.Get(i), "A sequence"));
  return sequences;
}

struct Described {
  std::unique_ptr<OpenDevice> device;
  uint64_t free_bytes = 0;
  uint64_t total_bytes = 0;
};

Napi::Value describe_device(const Napi::CallbackInfo& info) {
  return run_async(
      info.Env(), "quoth.describe",
      [] {
        Described described{open_device(DeviceChoice::best, 0)};
        const Ops& ops = *described.device->ops;
        if (ops.memory != nullptr) {  // what cannot be told stays 0
          (void)ops.memory(described.device->device, &described.free_bytes, &described.total_bytes);
        }
        return described;
      },
      [](Napi::Env env, Described&& described) {
        const OpenDevice* device = described.device.get();
        Napi::Object object = Napi::Object::New(env);
        if (described.total_bytes > 0) {
          object.Set("totalBytes", static_cast<double>(described.total_bytes));
          object.Set("freeBytes", static_cast<double>(described.free_bytes));
        }
        object.Set("device", name_of(device->kind));
        std::string name = device->info.name;
        if (device->kind == DeviceKind::cpu) name += std::string(", ") + device->info.instructions;
        object.Set("deviceName", name);
        object.Set("reason", device->reason);
        object.Set("instructions", static_cast<const char*>(device->info.instructions));
        object.Set("numThreads", device->info.num_threads);
        return object;
      });
}

Napi::Value load_engine(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.load", [options = options_of(info[0])] { return std::make_shared<Engine>(options); },
        [](Napi::Env env, std::shared_ptr<Engine>&& engine) {
          Napi::Object object = Napi::Object::New(env);
          object.Set("info", to_js(env, engine->info()));
          object.Set("handle", make_handle(env, std::make_unique<EngineHandle>(std::move(engine))));
          return object;
        });
  });
}

Napi::Value plan_memory_js(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.planMemory",
        [options = options_of(info[0])] {
          const PlanFile plan = open_plan(options.plan);
          Program program = read_program(plan);
          const auto device = open_device(options.device, options.num_threads);
          fuse(program, fusions_of(*device->ops));
          return plan_memory(options, plan, program, *device);
        },
        [](Napi::Env env, MemoryPlan&& memory) { return to_js(env, memory); });
  });
}

Napi::Value engine_generate(const Napi::CallbackInfo& info) {
  return guarded(info, [&] {
    const std::shared_ptr<Engine>& engine = handle_of<EngineHandle>(info[0]).engine;
    auto generation = engine->generate(request_of(info[1]));
    return make_handle(info.Env(), std::make_unique<GenerationHandle>(engine, std::move(generation)));
  });
}

Napi::Value engine_close(const Napi::CallbackInfo& info) {
  return promised(info, [&] {
    return run_async(
        info.Env(), "quoth.close", [engine = handle_of<EngineHandle>(info[0]).engine] { engine->close(); },
        [](Napi::Env env) { return env.Undefined(); });
  });
}

}  // namespace

void register_engine(Napi::Env env, Napi::Object exports) {
  const std::shared_ptr<Settler> settler = Settler::create(env);
  const auto set = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };

  set("describeDevice", describe_device);
  set("planMemory", plan_memory_js);
  set("loadEngine", load_engine);
  set("engineGenerate", engine_generate);
  set("engineClose", engine_close);
  set("generationNext", [settler](const Napi::CallbackInfo& info) {
    return promised(info, [&] {
      const auto generation = handle_of<GenerationHandle>(info[0]).generation;
      return Settler::promise<std::vector<Event>>(
          settler, info.Env(), [&](auto answer) { generation->next(std::move(answer)); },
          [](Napi::Env env, std::vector<Event>&& events) { return to_js(env, events); });
    });
  });
  set("generationCancel", [settler](const Napi::CallbackInfo& info) {
    return promised(info, [&] {
      const GenerationHandle& handle = handle_of<GenerationHandle>(info[0]);
      return Settler::promise<bool>(
          settler, info.Env(), [&](auto answer) { handle.engine->cancel(handle.generation, std::move(answer)); },
          [](Napi::Env env, bool&&) { return env.Undefined(); });
    });
  });
  set("engineScore", [settler](const Napi::CallbackInfo& info) {
    return promised(info, [&] {
      Engine& engine = *handle_of<EngineHandle>(info[0]).engine;
      std::vector<int32_t> ids = copy_ints(info[1], "ids");
      return Settler::promise<std::vector<float>>(
          settler, info.Env(), [&](auto answer) { engine.score(std::move(ids), std::move(answer)); },
          [](Napi::Env env, std::vector<float>&& values) { return make_floats(env, values); });
    });
  });
  set("engineLogits", [settler](const Napi::CallbackInfo& info) {
    return promised(info, [&] {
      Engine& engine = *handle_of<EngineHandle>(info[0]).engine;
      std::vector<int32_t> ids = copy_ints(info[1], "ids");
      return Settler::promise<std::vector<float>>(
          settler, info.Env(), [&](auto answer) { engine.logits(std::move(ids), std::move(answer)); },
          [](Napi::Env env, std::vector<float>&& values) { return make_floats(env, values); });
    });
  });
  set("engineEmbed", [settler](const Napi::CallbackInfo& info) {
    return promised(info, [&] {
      Engine& engine = *handle_of<EngineHandle>(info[0]).engine;
      std::vector<std::vector<int32_t>> sequences = copy_sequences(info[1]);
      return Settler::promise<std::vector<float>>(
          settler, info.Env(), [&](auto answer) { engine.embed(std::move(sequences), std::move(answer)); },
          [](Napi::Env env, std::vector<float>&& values) { return make_floats(env, values); });
    });
  });
  set("engineRerank", [settler](const Napi::CallbackInfo& info) {
    return promised(info, [&] {
      Engine& engine = *handle_of<EngineHandle>(info[0]).engine;
      std::vector<std::vector<int32_t>> sequences = copy_sequences(info[1]);
      std::vector<int32_t> first_lengths = copy_ints(info[2], "firstLengths");
      return Settler::promise<std::vector<float>>(
          settler, info.Env(),
          [&](auto answer) { engine.rerank(std::move(sequences), std::move(first_lengths), std::move(answer)); },
          [](Napi::Env env, std::vector<float>&& values) { return make_floats(env, values); });
    });
  });
  set("engineStats", [settler](const Napi::CallbackInfo& info) {
    return promised(info, [&] {
      Engine& engine = *handle_of<EngineHandle>(info[0]).engine;
      return Settler::promise<EngineStats>(
          settler, info.Env(), [&](auto answer) { engine.stats(std::move(answer)); },
          [](Napi::Env env, EngineStats&& stats) { return to_js(env, stats); });
    });
  });
}

}  // namespace quoth
