// What each part of the addon puts on its exports, for native/load.ts alone. Every function of these answers with a
// promise, unless a line says otherwise, and fails with a code (fault.h).
#pragma once

#include <napi.h>

#include <string>

#include "../../kernels/tensor.h"

namespace quoth {

// The type of a plan's tensor by its name in TypeScript. Throws Fault invalid_input for another name.
Type plan_type_of(const std::string& name);

//   describeDevice()                 -> { device, deviceName, reason, instructions, numThreads }
//   planMemory(options)              -> a MemoryPlan
//   loadEngine(options)              -> { handle, info }
//   engineGenerate(handle, request)  -> a generation's handle, not a promise; throws
//   generationNext(handle)           -> events, none = the end
//   generationCancel(handle)         -> nothing, once its kv pages are free
//   engineScore(handle, ids), engineLogits(handle, ids), engineEmbed(handle, sequences), engineStats(handle),
//   engineClose(handle)
void register_engine(Napi::Env env, Napi::Object exports);

//   describeVectorIndex()            -> { vectorIndex, vectorIndexReason }, not a promise
//   openVectorIndex({ dimension, bytes? }) -> handle
//   vectorIndexSize(handle)          -> number, not a promise
//   vectorIndexAdd(handle, ids, vectors), vectorIndexRemove(handle, ids), vectorIndexSearch(handle, query, limit)
//   vectorIndexSerialize(handle), vectorIndexClose(handle)
void register_retrieval(Napi::Env env, Napi::Object exports);

//   toFloat32(bytes, from, numRows, numColumns) -> Float32Array
//   pack(request)                               -> Uint8Array
void register_build(Napi::Env env, Napi::Object exports);

//   openWorkbench() -> handle, not a promise
//   workbenchClose(handle): at once, what runs ends `cancelled`; the other methods of Workbench, named
//   workbench<Method>, take the handle before their arguments packMeasured(request) -> { bytes, lost, energy }
//   toAwqGemm(packed, numRows, numColumns) -> { qweight, qzeros, scales }
void register_quantize(Napi::Env env, Napi::Object exports);

}  // namespace quoth
