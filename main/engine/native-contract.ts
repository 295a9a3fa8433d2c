/**
 * `native/index.ts` as a contract: the same mechanism that carries the window's requests carries the engine's, on a port
 * whose transport is structured clone, so that tokens and vectors stay typed arrays.
 *
 * Both ends are ours and of one version: what crosses is checked for its kind, not for its every field. Faults of the
 * engine are answers here (`failed`), because their codes are the engine's own.
 */
import { z } from 'zod';
import { call, stream } from '../../app/contract/procedure.ts';
import {
  type DeviceReport,
  type EngineInfo,
  type EngineOptions,
  type EngineStats,
  type GenerateEvent,
  type GenerateRequest,
  type MemoryPlan,
  type NativeErrorCode,
  nativeErrorCodes,
  type PackRequest,
  type SavedIndex,
  type VectorIndexOptions,
} from '../../native/index.ts';

const record = <T extends object>() =>
  z.custom<T>((value) => typeof value === 'object' && value !== null && !ArrayBuffer.isView(value));
const int32 = z.custom<Int32Array>((value) => value instanceof Int32Array);
const float32 = z.custom<Float32Array>((value) => value instanceof Float32Array);
const float64 = z.custom<Float64Array>((value) => value instanceof Float64Array);
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const handle = z.number().int().nonnegative();
const nothing = z.object({});

const failed = z.object({ failed: z.object({ code: z.enum(nativeErrorCodes), message: z.string() }) });

/** Either the value or the engine's own error. */
const orFailed = <T extends z.ZodType>(value: T) => z.union([z.object({ value }), failed]);

const openedEngine = z.object({ engine: handle, info: record<EngineInfo>() });
const indexSize = z.object({ size: z.number() });

export const nativeContract = {
  describe: call(nothing, orFailed(record<DeviceReport>())),
  planMemory: call(z.object({ options: record<EngineOptions>() }), orFailed(record<MemoryPlan>())),
  loadEngine: call(z.object({ options: record<EngineOptions>() }), orFailed(openedEngine)),
  generate: stream(z.object({ engine: handle, request: record<GenerateRequest>() }), orFailed(record<GenerateEvent>())),
  score: call(z.object({ engine: handle, ids: int32 }), orFailed(float32)),
  logits: call(z.object({ engine: handle, ids: int32 }), orFailed(float32)),
  embed: call(z.object({ engine: handle, sequences: z.array(int32) }), orFailed(float32)),
  rerank: call(z.object({ engine: handle, sequences: z.array(int32), firstLengths: int32 }), orFailed(float32)),
  stats: call(z.object({ engine: handle }), orFailed(record<EngineStats>())),
  closeEngine: call(z.object({ engine: handle }), orFailed(nothing)),

  openVectorIndex: call(
    z.object({ options: record<VectorIndexOptions>() }),
    orFailed(z.object({ index: handle, size: z.number() })),
  ),
  addVectors: call(z.object({ index: handle, ids: float64, vectors: float32 }), orFailed(indexSize)),
  removeVectors: call(z.object({ index: handle, ids: float64 }), orFailed(indexSize)),
  searchVectors: call(
    z.object({ index: handle, query: float32, limit: z.number(), within: float64.optional() }),
    orFailed(z.object({ ids: float64, scores: float32 })),
  ),
  listIndex: call(z.object({ index: handle }), orFailed(float64)),
  saveIndex: call(z.object({ index: handle, file: z.string() }), orFailed(record<SavedIndex>())),
  serializeIndex: call(z.object({ index: handle }), orFailed(bytes)),
  closeIndex: call(z.object({ index: handle }), orFailed(nothing)),

  toFloat32: call(
    z.object({ bytes, from: z.string(), numRows: z.number(), numColumns: z.number() }),
    orFailed(float32),
  ),
  pack: call(z.object({ request: record<PackRequest>() }), orFailed(bytes)),
} as const;

export type NativeContract = typeof nativeContract;
export type Failed = { failed: { code: NativeErrorCode; message: string } };
export type OrFailed<T> = { value: T } | Failed;
