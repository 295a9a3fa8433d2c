/**
 * Whether a model fits a machine, told before a byte of it is fetched: from its true shape, what its weights, its context and
 * the engine's own work take. Pure arithmetic. Once a plan is there, `planMemory` of the engine says the same exactly.
 */
import { isEncoder, type Widths, widthsOf } from './sizes.ts';
import type { CatalogueEntry } from './types.ts';

/** What there is. `freeBytes` absent: reckoned from the total, less what a system with a window uses. */
export type FitMachine = {
  /** Null where there is no GPU that the engine can use. */
  readonly gpu: { readonly totalBytes: number; readonly freeBytes?: number } | null;
  readonly memory: { readonly totalBytes: number; readonly freeBytes?: number };
  /** Of the processor's memory; absent: two channels of DDR4. */
  readonly memoryBytesPerSecond?: number;
};

export type FitOptions = {
  /** How long a conversation is wanted; absent: as the application does, up to 8,192 tokens. */
  readonly contextTokens?: number;
  /** What stays loaded beside it, as the embedder does. */
  readonly beside?: readonly FitModel[];
};

export type FitModel = Pick<CatalogueEntry, 'name' | 'role' | 'planBytes' | 'shape' | 'contextTokens'>;

/**
 * `fits`: on the GPU; or on the processor, where it writes faster than people read. `slow`: on the processor, slower than
 * that. `too-large`: neither has the room.
 */
export type FitVerdict = 'fits' | 'slow' | 'too-large';

export type Fit = {
  readonly verdict: FitVerdict;
  /** Where it would run; what is needed and free is said of it. */
  readonly device: 'cuda' | 'cpu';
  /** What can be had of the wanted context; where it is too large, the least that was tried. 0 for encoders. */
  readonly contextTokens: number;
  readonly wantedContextTokens: number;
  /** `i8`: the context in half the bytes, because it does not fit otherwise. */
  readonly kvType: 'f16' | 'i8';
  readonly weightBytes: number;
  readonly contextBytes: number;
  /** Rows of a step, the kernels' scratch, recorded steps. */
  readonly workingBytes: number;
  /** All of what stays loaded beside it. */
  readonly besideBytes: number;
  readonly neededBytes: number;
  readonly freeBytes: number;
  /** On the processor: about how fast it writes; null on a GPU (fast enough) and for encoders. */
  readonly tokensPerSecond: number | null;
  /** One sentence for people, in English; the numbers stand beside it for other languages. */
  readonly sentence: string;
};

/** What the application asks for, and the least with which passages fit beside a question. */
const [usualContextTokens, leastContextTokens, pageTokens] = [8192, 1024, 64];
/** A GPU's desktop and windows, the driver's context and our kernels' code: gone before a model is loaded. */
const gpuUsedBytes = 1.0e9;
/** The system, its programs and this window. */
const memoryUsedBytes = 3.5e9;
/** Left to everybody else, as the engine does. */
const marginBytes = 256 * 2 ** 20;
const dualChannelBytesPerSecond = 40e9;
/** Below this, reading waits for writing. */
const leastTokensPerSecond = 12;

/** Whether the model fits, where, and with how much context. Fails with a TypeError for a shape without its counts. */
export function fitModel(model: FitModel, machine: FitMachine, options: FitOptions = {}): Fit {
  const beside = options.beside ?? [];
  const gpu = machine.gpu === null ? null : fitDevice('cuda', model, freeOf(machine.gpu, gpuUsedBytes), options);
  if (gpu?.fits) return fitOf(model, 'fits', gpu.fit, null);
  const cpu = fitDevice('cpu', model, freeOf(machine.memory, memoryUsedBytes), { ...options, beside });
  if (!cpu.fits) {
    // Told of the device that is nearer to having the room.
    const lacks = ({ fit }: { fit: Numbers }): number => fit.neededBytes - fit.freeBytes;
    return fitOf(model, 'too-large', gpu !== null && lacks(gpu) < lacks(cpu) ? gpu.fit : cpu.fit, null);
  }
  if (isEncoder(model.shape)) return fitOf(model, 'fits', cpu.fit, null);
  const tokensPerSecond = (machine.memoryBytesPerSecond ?? dualChannelBytesPerSecond) / model.planBytes;
  return fitOf(model, tokensPerSecond < leastTokensPerSecond ? 'slow' : 'fits', cpu.fit, tokensPerSecond);
}

type Numbers = Omit<Fit, 'verdict' | 'sentence' | 'tokensPerSecond'>;

function freeOf(memory: { totalBytes: number; freeBytes?: number }, usedBytes: number): number {
  return Math.max(0, memory.freeBytes ?? memory.totalBytes - usedBytes);
}

/** As much of the wanted context as there is room for: in 16 bits if all of it fits so, else, on a GPU, in 8. */
function fitDevice(
  device: 'cuda' | 'cpu',
  model: FitModel,
  freeBytes: number,
  { contextTokens, beside = [] }: FitOptions,
): { fits: boolean; fit: Numbers } {
  const widths = widthsOf(model.shape);
  const isChat = !isEncoder(model.shape);
  const wanted = isChat ? Math.min(model.contextTokens, contextTokens ?? usualContextTokens) : 0;
  const least = Math.min(wanted, leastContextTokens);
  const weightBytes = model.planBytes;
  const workingBytes = workingBytesOf(model, device);
  const besideBytes = beside.reduce((sum, one) => sum + one.planBytes + workingBytesOf(one, device), 0);
  const fixedBytes = weightBytes + workingBytes + besideBytes;
  const leftBytes = freeBytes - marginBytes - fixedBytes;
  const pagesOf = (tokens: number): number => Math.ceil(tokens / pageTokens);
  const kvTypes =
    device === 'cuda' && (headSizeOf(model) ?? 0) % 8 === 0 ? (['f16', 'i8'] as const) : (['f16'] as const);
  let kvType: 'f16' | 'i8' = 'f16';
  let pages = pagesOf(wanted);
  for (kvType of kvTypes) {
    const pageBytes = kvPageBytes(widths, headSizeOf(model), kvType);
    pages = isChat ? Math.min(pagesOf(wanted), Math.max(0, Math.floor(leftBytes / pageBytes))) : 0;
    if (pages >= pagesOf(wanted)) break;
  }
  const fits = leftBytes >= 0 && pages >= pagesOf(least);
  pages = Math.max(pages, pagesOf(least));
  const contextBytes = isChat ? pages * kvPageBytes(widths, headSizeOf(model), kvType) : 0;
  const fit: Numbers = {
    device,
    contextTokens: Math.min(pages * pageTokens, wanted),
    wantedContextTokens: wanted,
    kvType,
    weightBytes,
    contextBytes,
    workingBytes,
    besideBytes,
    neededBytes: fixedBytes + contextBytes,
    freeBytes,
  };
  return { fits, fit };
}

function headSizeOf({ shape }: FitModel): number {
  const { query } = widthsOf(shape);
  return query / Number(shape.num_attention_heads);
}

/** Keys and values of 64 tokens; in bytes each token and head has a scale of two bytes beside them. */
function kvPageBytes({ layers, keys }: Widths, headSize: number, kvType: 'f16' | 'i8'): number {
  const rowBytes = kvType === 'f16' ? 2 * headSize : headSize + 2;
  return 2 * pageTokens * layers * (keys / headSize) * rowBytes;
}

/** What the engine takes beside weights and kv pages: native/engine/memory_plan.cc with the numbers of kernels/cuda. */
function workingBytesOf(model: FitModel, device: 'cuda' | 'cpu'): number {
  const { layers, hidden, intermediate, query, keys, vocabulary } = widthsOf(model.shape);
  // A GPU multiplies gate and up in one call, so that they have no buffer of their own.
  const gateFloats = device === 'cpu' && !isEncoder(model.shape) ? 2 * intermediate : 0;
  const rowFloats = 2 * hidden + 2 * query + 2 * keys + intermediate + gateFloats;
  const widest = Math.max(hidden, query, intermediate);
  const isGpu = device === 'cuda';
  if (isEncoder(model.shape)) {
    if (!isGpu) return 4 * 512 * rowFloats;
    const rows = Math.min(16_384, Math.max(1024, Math.floor((80 * 2 ** 20) / (4 * rowFloats))));
    return 4 * rows * rowFloats + 4 * 1024 * hidden + scratchBytes(rows, widest);
  }
  const rows = isGpu ? 1024 : 256;
  // On a GPU as many rows of logits as a 64th of the context and what is kept for reuse beside it.
  const contextBytes = 4 * layers * keys * 2 * Math.min(model.contextTokens, usualContextTokens);
  const fitting = Math.floor(contextBytes / 64 / (4 * vocabulary));
  const mostOutputs = isGpu ? Math.min(1024, Math.max(64, fitting)) : 64;
  const stepBytes = 4 * rows * rowFloats + 4 * mostOutputs * (vocabulary + hidden);
  return stepBytes + (isGpu ? scratchBytes(rows, widest) + recordedBytes : 0);
}

/** `reserve` of kernels/cuda/device.cu. */
function scratchBytes(rows: number, widest: number): number {
  const partials = 4 * 8 * 2 ** 20;
  const arrays = 4 * (7 * rows + 64 * 4096);
  return partials + arrays + 2 * rows * widest + 4 * 32 * 3 * widest;
}
/** Recorded steps, and the code of kernels that is loaded when it is first used. */
const recordedBytes = 72 * 2 ** 20;

function fitOf(model: FitModel, verdict: FitVerdict, fit: Numbers, tokensPerSecond: number | null): Fit {
  return { ...fit, verdict, tokensPerSecond, sentence: sentenceOf(model.name, verdict, fit, tokensPerSecond) };
}

function sentenceOf(name: string, verdict: FitVerdict, fit: Numbers, tokensPerSecond: number | null): string {
  const { contextTokens, kvType, weightBytes, contextBytes, workingBytes, besideBytes, neededBytes, freeBytes } = fit;
  const where = fit.device === 'cuda' ? ' on the GPU' : '';
  const inBytes = kvType === 'i8' ? ' in 8 bits' : '';
  const parts = [
    inGigabytes(weightBytes),
    ...(contextBytes > 0
      ? [`${inGigabytes(contextBytes)} for ${contextTokens.toLocaleString('en')} tokens of context${inBytes}`]
      : []),
    `${inGigabytes(workingBytes)} working memory`,
    ...(besideBytes > 0 ? [`${inGigabytes(besideBytes)} for search`] : []),
  ].join(' + ');
  const free = `${inGigabytes(freeBytes)} are free${where}`;
  if (verdict === 'too-large') return `${name}: ${parts} = ${inGigabytes(neededBytes)}, and ${free}.`;
  const speed =
    tokensPerSecond === null ? '' : ` On the processor it writes about ${Math.round(tokensPerSecond)} tokens a second.`;
  return `${name}: ${parts}; ${free}.${speed}`;
}

/** "4.0 GB"; below a tenth, "25 MB". */
function inGigabytes(bytes: number): string {
  return bytes >= 0.05e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
