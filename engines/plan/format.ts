/** The plan file's header: types, limits and checks. The layout is in format.md; writing is in write-plan.ts. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Prompts } from '../architectures/architecture.ts';
import type { Activation, OperationName, RowKind } from '../graph/graph.ts';
import { ModelError } from '../model-error.ts';
import type { PairIds } from '../tokenizer/pair.ts';

export const planTypes = ['f32', 'f16', 'q8', 'q4', 'int4_g32', 'int4_g128', 'f8', 'i32'] as const;
export type PlanType = (typeof planTypes)[number];

/** [buffer, firstColumn, width] */
export type PlanView = readonly [number, number, number];
export type PlanBuffer = { readonly rows: RowKind; readonly width: number };
export type PlanStep = {
  readonly op: OperationName;
  readonly in: readonly PlanView[];
  readonly out: readonly PlanView[];
  readonly weights: readonly (number | null)[];
  readonly activation?: Activation;
  readonly [attribute: string]: unknown;
};
export type Program = {
  readonly buffers: readonly PlanBuffer[];
  readonly steps: readonly PlanStep[];
  readonly output: number;
};

export type PlanSection = { readonly offset: number; readonly sizeBytes: number; readonly sha256: string };
export type PlanTensor = PlanSection & {
  readonly name: string;
  readonly type: PlanType;
  readonly rows: number;
  readonly columns: number;
  readonly codebook?: readonly number[];
};

export type PlanHeader = {
  readonly architecture: string;
  readonly name: string;
  readonly role: 'chat' | 'embedder' | 'reranker';
  readonly vocabularySize: number;
  readonly contextTokens: number;
  /** 0 but for an embedder. */
  readonly embeddingSize: number;
  readonly startIds: readonly number[];
  readonly stopIds: readonly number[];
  readonly kv: {
    readonly type: 'f16' | 'f32';
    readonly numLayers: number;
    readonly numHeads: number;
    readonly headSize: number;
  } | null;
  readonly tokenizer: PlanSection;
  readonly template: string | null;
  /** Embedders: what goes before a question and a passage; absent = nothing. */
  readonly prompts?: Prompts | null;
  /** Rerankers, and there always: the ids around and between two texts. */
  readonly pair?: PairIds;
  readonly program: Program;
  readonly tensors: readonly PlanTensor[];
};

export const planMagic = 'QUOTHPLN';
export const planVersion = 1;
export const planAlignment = 4096;
export const planPreambleBytes = 48;
export const maxHeaderBytes = 64 * 1024 * 1024;

/** Types whose weights lie in records of 16 rows. */
const records = {
  q8: { columns: 32, sizeBytes: 544 },
  q4: { columns: 32, sizeBytes: 288 },
  int4_g32: { columns: 32, sizeBytes: 320 },
  int4_g128: { columns: 128, sizeBytes: 1088 },
} as const;

/** Bytes of a tensor in a plan; null where the type does not allow the shape. */
export function planTensorBytes(type: PlanType, rows: number, columns: number): number | null {
  if (!isCount(rows) || !isCount(columns) || rows > 2 ** 31 || columns > 2 ** 31) return null;
  const bytesOf = (): number | null => {
    if (type === 'f32') return rows * columns * 4;
    if (type === 'f16') return rows * columns * 2;
    if (type === 'f8') return Math.ceil((rows * columns) / 64) * 64 + rows * 4;
    if (type === 'i32') return rows === 1 ? columns * 4 : null;
    const record = records[type];
    if (columns % record.columns !== 0) return null;
    return Math.ceil(rows / 16) * (columns / record.columns) * record.sizeBytes;
  };
  const bytes = bytesOf();
  return bytes === null || bytes > Number.MAX_SAFE_INTEGER ? null : bytes;
}

export function alignUp(offset: number): number {
  return Math.ceil(offset / planAlignment) * planAlignment;
}

/**
 * Reads and checks a plan's header: magic, version, hash, every section's place, every tensor's size. It does not read
 * the sections; `verifyPlan` does. Fails with `invalid-plan` and a sentence that names the file.
 */
export async function readPlanHeader(path: string): Promise<PlanHeader> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return await readHeaderOf(file, size, path);
  } finally {
    await file.close();
  }
}

async function readHeaderOf(file: FileHandle, fileBytes: number, path: string): Promise<PlanHeader> {
  const refuse = (why: string): never => {
    throw new ModelError('invalid-plan', `${path} is not a sound plan: ${why}.`);
  };
  const preamble = await readExactly(file, 0, planPreambleBytes);
  if (preamble === null || preamble.toString('latin1', 0, 8) !== planMagic) return refuse('it does not begin as one');
  const version = preamble.readUInt32LE(8);
  if (version !== planVersion) return refuse(`its version is ${version}, this program reads ${planVersion}`);
  const headerBytes = preamble.readUInt32LE(12);
  if (headerBytes > maxHeaderBytes || planPreambleBytes + headerBytes > fileBytes) return refuse('its header is cut');
  const bytes = await readExactly(file, planPreambleBytes, headerBytes);
  if (bytes === null) return refuse('its header is cut');
  const hash = createHash('sha256').update(bytes).digest();
  if (!hash.equals(preamble.subarray(16, 48))) return refuse('its header does not match its hash');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return refuse('its header is no JSON');
  }
  const why = faultOfHeader(header, planPreambleBytes + headerBytes, fileBytes);
  if (why !== null) return refuse(why);
  return header as PlanHeader;
}

/** Reads the tokenizer's JSON and checks it against its hash. */
export async function readPlanTokenizer(path: string, header: PlanHeader): Promise<unknown> {
  const file = await open(path, 'r');
  try {
    const { offset, sizeBytes, sha256 } = header.tokenizer;
    const bytes = await readExactly(file, offset, sizeBytes);
    if (bytes === null || createHash('sha256').update(bytes).digest('hex') !== sha256) {
      throw new ModelError('invalid-plan', `${path} is not a sound plan: its tokenizer does not match its hash.`);
    }
    return JSON.parse(bytes.toString('utf8'));
  } finally {
    await file.close();
  }
}

/** Reads the whole file and checks every section against its hash. Fails with `invalid-plan`, or `cancelled`. */
export async function verifyPlan(
  path: string,
  options: { signal?: AbortSignal; onProgress?: (doneBytes: number, totalBytes: number) => void } = {},
): Promise<PlanHeader> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const header = await readHeaderOf(file, size, path);
    const sections = [{ name: 'the tokenizer', ...header.tokenizer }, ...header.tensors];
    const buffer = Buffer.allocUnsafe(4 * 1024 * 1024);
    for (const section of sections) {
      const hash = createHash('sha256');
      for (let done = 0; done < section.sizeBytes; ) {
        if (options.signal?.aborted) throw new ModelError('cancelled', 'The check of the plan was cancelled.');
        const want = Math.min(buffer.length, section.sizeBytes - done);
        const { bytesRead } = await file.read(buffer, 0, want, section.offset + done);
        if (bytesRead === 0) break;
        hash.update(buffer.subarray(0, bytesRead));
        done += bytesRead;
        options.onProgress?.(section.offset + done, size);
      }
      if (hash.digest('hex') !== section.sha256) {
        throw new ModelError('invalid-plan', `${path} is not a sound plan: ${section.name} does not match its hash.`);
      }
    }
    return header;
  } finally {
    await file.close();
  }
}

async function readExactly(file: FileHandle, offset: number, sizeBytes: number): Promise<Buffer | null> {
  const buffer = Buffer.allocUnsafe(sizeBytes);
  for (let done = 0; done < sizeBytes; ) {
    const { bytesRead } = await file.read(buffer, done, sizeBytes - done, offset + done);
    if (bytesRead === 0) return null;
    done += bytesRead;
  }
  return buffer;
}

type Unknown = Record<string, unknown>;

/** Why a parsed header cannot be trusted, or null. */
function faultOfHeader(value: unknown, headerEnd: number, fileBytes: number): string | null {
  if (!isObject(value)) return 'its header is no object';
  const { role, kv, tokenizer, program, tensors, template } = value;
  for (const name of ['architecture', 'name']) if (typeof value[name] !== 'string') return `${name} is missing`;
  if (!['chat', 'embedder', 'reranker'].includes(role as string)) return 'its role is unknown';
  if (!isCount(value.vocabularySize) || !isCount(value.contextTokens)) return 'its sizes are missing';
  if (!isWhole(value.embeddingSize)) return 'its sizes are missing';
  const areIds = (ids: unknown): boolean =>
    Array.isArray(ids) && ids.every((id) => isWhole(id) && id < (value.vocabularySize as number));
  for (const name of ['startIds', 'stopIds']) if (!areIds(value[name])) return `${name} are not ids`;
  const { prompts = null, pair } = value;
  if (prompts !== null && !(isObject(prompts) && [prompts.query, prompts.passage].every(isText))) {
    return 'its prompts are no texts';
  }
  if (role === 'reranker') {
    if (!isObject(pair) || ![pair.start, pair.between, pair.end].every(areIds)) return 'its pair has no ids';
    if (!['boolean', 'undefined'].includes(typeof pair.oneSegment)) return 'its pair has no segments';
  }
  if (template !== null && typeof template !== 'string') return 'its template is no text';
  if (kv !== null) {
    if (!isObject(kv) || (kv.type !== 'f16' && kv.type !== 'f32')) return 'its kv cache is not described';
    if (![kv.numLayers, kv.numHeads, kv.headSize].every(isCount)) return 'its kv cache is not described';
  }
  if (!isObject(tokenizer) || !Array.isArray(tensors)) return 'its sections are missing';
  const sections = [tokenizer, ...tensors] as Unknown[];
  for (const section of sections) {
    if (!isObject(section) || !isWhole(section.offset) || !isCount(section.sizeBytes)) return 'a section has no place';
    if (typeof section.sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(section.sha256)) return 'a section has no hash';
  }
  let end = headerEnd;
  for (const section of sections) {
    if (section.offset !== alignUp(end)) return 'its sections do not follow each other';
    end = section.offset + (section.sizeBytes as number);
    if (end > fileBytes) return 'it is cut';
  }
  if (end !== fileBytes) return 'it is longer than its sections';
  for (const tensor of tensors as Unknown[]) {
    if (typeof tensor.name !== 'string') return 'a tensor has no name';
    if (!planTypes.some((type) => type === tensor.type)) return `the type of ${tensor.name} is unknown`;
    const bytes = planTensorBytes(tensor.type as PlanType, tensor.rows as number, tensor.columns as number);
    if (bytes !== tensor.sizeBytes) return `the size of ${tensor.name} does not fit its shape`;
    if (tensor.type === 'q4') {
      const book = tensor.codebook;
      const isByte = (x: unknown): boolean => Number.isInteger(x) && Math.abs(x as number) <= 127;
      if (!Array.isArray(book) || book.length !== 16 || !book.every(isByte)) return `${tensor.name} has no codebook`;
    }
  }
  return faultOfProgram(program, tensors.length);
}

function faultOfProgram(program: unknown, numTensors: number): string | null {
  if (!isObject(program)) return 'its program is missing';
  const { buffers, steps, output } = program;
  if (!Array.isArray(buffers) || !Array.isArray(steps)) return 'its program is missing';
  const rows = ['tokens', 'outputs', 'sequences'];
  if (!buffers.every((b) => isObject(b) && rows.includes(b.rows as string) && isCount(b.width)))
    return 'a buffer is bad';
  if (!isWhole(output) || output >= buffers.length) return 'its program has no output';
  for (const [index, step] of steps.entries()) {
    if (!isObject(step) || typeof step.op !== 'string') return `step ${index} is no step`;
    const views = [step.in, step.out];
    if (!views.every(Array.isArray) || !Array.isArray(step.weights)) return `step ${index} is no step`;
    for (const view of views.flat() as unknown[]) {
      if (!Array.isArray(view) || view.length !== 3 || !view.every(isWhole)) return `step ${index} has a bad view`;
      const [bufferIndex, first, width] = view as [number, number, number];
      const buffer = buffers[bufferIndex] as PlanBuffer | undefined;
      if (buffer === undefined || first + width > buffer.width) return `step ${index} reaches outside its buffer`;
    }
    if (!step.weights.every((w: unknown) => w === null || (isWhole(w) && w < numTensors))) {
      return `step ${index} names a tensor that is not there`;
    }
  }
  return null;
}

function isObject(value: unknown): value is Unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
function isText(value: unknown): boolean {
  return typeof value === 'string';
}
function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
function isCount(value: unknown): value is number {
  return isWhole(value) && value > 0;
}
