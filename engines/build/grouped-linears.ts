/**
 * Finds the linears of a hub folder that are kept in groups: `<name>.qweight` with its zeros and scales becomes one tensor
 * `<name>.weight` of N × K, whose bytes are the pieces one after the other as native/build/grouped.h wants them. Every
 * shape and type is checked, and the groups of columns are read.
 */
import { basename } from 'node:path';
import { ModelError } from '../model-error.ts';
import { damaged } from './checkpoint.ts';
import { type GroupedLayout, type GroupedType, nameOfGroupedType } from './grouped-types.ts';
import type { CompressedScheme, Quantization } from './quantization-config.ts';

/** A tensor as a file has it. */
export type PieceOfFile = {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly type: string;
  readonly sizeBytes: number;
  /** The file that errors name. */
  readonly path: string;
  /** Fills `bytes` from byte `first` of the tensor on; absent = 0. */
  into(bytes: Uint8Array, first?: number): Promise<void>;
};

export type GroupedLinear = {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly type: string;
  readonly sizeBytes: number;
  /** In the builder's order; bytes for what the files leave out. */
  readonly pieces: readonly (PieceOfFile | Uint8Array)[];
  /** Act-order: column i of those sorted by group is this column of the checkpoint. Absent = they are sorted. */
  readonly columnOrder?: Int32Array;
};

type Linear = Omit<GroupedLinear, 'type' | 'sizeBytes' | 'name'> & { readonly type: GroupedType };

/** Endings of packed tensors; one that is left over belongs to nothing. */
const endings =
  /\.(qweight|qzeros|scaled_zeros|scales|g_idx|weight_packed|weight_scale|weight_zero_point|weight_g_idx)$/;

/** Takes what belongs to packed linears out of `files` and returns the linears. Fails with a `ModelError` naming the tensor. */
export async function takeGroupedLinears(
  files: Map<string, PieceOfFile>,
  quantization: Quantization | null,
): Promise<GroupedLinear[]> {
  const codes = quantization?.method === 'compressed-tensors' ? '.weight_packed' : '.qweight';
  const linears: GroupedLinear[] = [];
  for (const [name, piece] of quantization === null ? [] : [...files]) {
    if (!name.endsWith(codes)) continue;
    const stem = name.slice(0, -codes.length);
    if (files.has(`${stem}.weight`)) throw damaged(piece.path, `${stem} is there packed and unpacked`);
    const { type, ...linear } = await linearOf(createTaker(files, stem, piece.path), quantization!);
    const sizeBytes = linear.pieces.reduce((sum, part) => sum + sizeOf(part), 0);
    linears.push({ ...linear, name: `${stem}.weight`, type: nameOfGroupedType(type), sizeBytes });
  }
  for (const [name, { path }] of files) {
    if (!endings.test(name)) continue;
    // AutoAWQ divides by these after an activation; folded into the weights, their codes would no longer be exact.
    if (/\bact\.scales$/.test(name)) {
      const why = `${name} scales the output of an activation, which is not done here; use another quantization of the model`;
      throw new ModelError('unsupported-model', `${basename(path)}: ${why}.`);
    }
    const why =
      quantization === null ? 'nothing says how its packed weights were made' : 'it belongs to no packed weight';
    throw damaged(path, `${why} (${name})`);
  }
  return linears;
}

/** The bytes of all pieces, one after the other. */
export async function readGroupedLinear(linear: GroupedLinear): Promise<Uint8Array> {
  const bytes = new Uint8Array(linear.sizeBytes);
  let at = 0;
  for (const piece of linear.pieces) {
    const place = bytes.subarray(at, at + sizeOf(piece));
    if (piece instanceof Uint8Array) place.set(piece);
    else await piece.into(place);
    at += place.length;
  }
  return bytes;
}

function sizeOf(piece: PieceOfFile | Uint8Array): number {
  return piece instanceof Uint8Array ? piece.length : piece.sizeBytes;
}

type Taker = ReturnType<typeof createTaker>;

function createTaker(files: Map<string, PieceOfFile>, stem: string, path: string) {
  const optional = (ending: string, types: readonly string[]): PieceOfFile | null => {
    const name = `${stem}.${ending}`;
    const piece = files.get(name);
    if (piece === undefined) return null;
    if (!types.includes(piece.type)) throw damaged(piece.path, `the tensor ${name} is of the type ${piece.type}`);
    files.delete(name);
    return piece;
  };
  return {
    optional,
    take(ending: string, types: readonly string[]): PieceOfFile {
      const piece = optional(ending, types);
      if (piece === null) throw damaged(path, `the tensor ${stem}.${ending} is missing`);
      return piece;
    },
    /** Fails where a tensor has another shape than the others ask for. */
    want(piece: PieceOfFile, rows: number, columns: number): void {
      if (piece.rows === rows && piece.columns === columns) return;
      throw damaged(
        piece.path,
        `the tensor ${piece.name} is ${piece.rows} × ${piece.columns}, but ${rows} × ${columns} is needed`,
      );
    },
    refuse(why: string): never {
      throw damaged(path, `${stem}: ${why}`);
    },
    unsupported(why: string): never {
      throw new ModelError('unsupported-model', `${stem}: ${why}.`);
    },
  };
}

const scaleTypes = ['f16', 'bf16', 'f32'];

async function linearOf(taker: Taker, quantization: Quantization): Promise<Linear> {
  if (quantization.method === 'compressed-tensors') return compressedLinear(taker, quantization.schemes);
  if (quantization.method === 'gptq') return gptqLinear(taker, quantization);
  if (quantization.layout === 'awq_gemv_fast') return fastAwqLinear(taker, quantization.groupSize);
  return awqLinear(taker, quantization.layout, quantization.groupSize);
}

function typeOf(layout: GroupedLayout, bits: 4 | 8, groupSize: number, scales: PieceOfFile): GroupedType {
  return { layout, bits, groupSize, scales: scales.type as GroupedType['scales'] };
}

function awqLinear(taker: Taker, layout: 'awq_gemm' | 'awq_gemv', size: number | null): Linear {
  const codes = taker.take('qweight', ['i32']);
  const zeros = taker.take('qzeros', ['i32']);
  const scales = taker.take('scales', scaleTypes);
  const isGemm = layout === 'awq_gemm';
  const rows = isGemm ? codes.columns * 8 : codes.rows;
  const columns = isGemm ? codes.rows : codes.columns * 8;
  const groupSize = size ?? columns;
  const numGroups = wholeGroups(taker, columns, groupSize);
  if (isGemm) {
    taker.want(zeros, numGroups, rows / 8);
    taker.want(scales, numGroups, rows);
  } else {
    const words = paddedZeroWords(taker, numGroups, groupSize);
    taker.want(zeros, rows, words);
    taker.want(scales, rows, 8 * words);
  }
  return { rows, columns, type: typeOf(layout, 4, groupSize, scales), pieces: [codes, zeros, scales] };
}

function fastAwqLinear(taker: Taker, size: number | null): Linear {
  const codes = taker.take('qweight', ['i16']);
  const zeros = taker.take('scaled_zeros', ['f16']);
  const scales = taker.take('scales', ['f16']);
  const [rows, columns] = [codes.rows * 4, codes.columns];
  const groupSize = size ?? columns;
  const words = paddedZeroWords(taker, wholeGroups(taker, columns, groupSize), groupSize);
  if (columns % 64 !== 0 || rows % 8 !== 0) taker.refuse(`${rows} × ${columns} cannot be packed so`);
  taker.want(zeros, 8 * words, rows);
  taker.want(scales, 8 * words, rows);
  return { rows, columns, type: typeOf('awq_gemv_fast', 4, groupSize, scales), pieces: [codes, zeros, scales] };
}

function wholeGroups(taker: Taker, columns: number, groupSize: number): number {
  if (columns % groupSize !== 0) taker.refuse(`${columns} columns are no whole groups of ${groupSize}`);
  return columns / groupSize;
}

/** gemv's kernels read the zeros of a row in whole vectors, so small groups pad them. */
function paddedZeroWords(taker: Taker, numGroups: number, groupSize: number): number {
  if (groupSize % 32 !== 0) taker.refuse(`groups of ${groupSize} cannot be packed so`);
  const multiple = groupSize >= 128 ? 1 : groupSize >= 64 ? 2 : 4;
  return Math.ceil(Math.ceil(numGroups / 8) / multiple) * multiple;
}

async function gptqLinear(
  taker: Taker,
  { layout, bits, groupSize: size }: { layout: 'gptq' | 'gptq_v2'; bits: 4 | 8; groupSize: number | null },
): Promise<Linear> {
  const codes = taker.take('qweight', ['i32']);
  const zeros = taker.take('qzeros', ['i32']);
  const scales = taker.take('scales', scaleTypes);
  const groups = taker.optional('g_idx', ['i32']);
  const codesOfWord = 32 / bits;
  const [rows, columns] = [codes.columns, codes.rows * codesOfWord];
  if (rows % codesOfWord !== 0) taker.refuse(`${rows} rows are no whole words of zeros`);
  const groupSize = size ?? columns;
  const numGroups = Math.ceil(columns / groupSize);
  taker.want(zeros, numGroups, rows / codesOfWord);
  taker.want(scales, numGroups, rows);
  const { bytes, ...order } = await groupsOf(taker, groups, columns, groupSize);
  const type = typeOf(layout, bits, groupSize, scales);
  return { rows, columns, type, ...order, pieces: [codes, zeros, scales, bytes] };
}

async function compressedLinear(taker: Taker, schemes: readonly CompressedScheme[]): Promise<Linear> {
  const codes = taker.take('weight_packed', ['i32']);
  const scales = taker.take('weight_scale', scaleTypes);
  const shape = taker.take('weight_shape', ['i64', 'i32']);
  const zeros = taker.optional('weight_zero_point', ['i32']);
  const groups = taker.optional('weight_g_idx', ['i32']);
  taker.want(shape, 1, 2);
  const numbers = Buffer.alloc(shape.sizeBytes);
  await shape.into(numbers);
  const numberAt = (index: number): number =>
    shape.type === 'i64' ? Number(numbers.readBigInt64LE(8 * index)) : numbers.readInt32LE(4 * index);
  const [rows, columns] = [numberAt(0), numberAt(1)];
  const bits = (codes.columns * 32) / columns;
  if (rows !== codes.rows || (bits !== 4 && bits !== 8)) taker.refuse(`its shape is said to be ${rows} × ${columns}`);
  const scheme = schemes.find((candidate) => {
    const numGroups = Math.ceil(columns / (candidate.groupSize ?? columns));
    return candidate.bits === bits && candidate.symmetric === (zeros === null) && scales.columns === numGroups;
  });
  if (scheme === undefined) return taker.refuse('its tensors fit none of config_groups');
  const groupSize = scheme.groupSize ?? columns;
  const numGroups = Math.ceil(columns / groupSize);
  taker.want(scales, rows, numGroups);
  if (zeros !== null) taker.want(zeros, Math.ceil(rows / (32 / bits)), numGroups);
  const { bytes, ...order } = await groupsOf(taker, groups, columns, groupSize);
  const layout = zeros === null ? ('compressed_symmetric' as const) : ('compressed' as const);
  const type = typeOf(layout, bits, groupSize, scales);
  return { rows, columns, type, ...order, pieces: [codes, ...(zeros === null ? [] : [zeros]), scales, bytes] };
}

/** The group of every column, and the columns sorted by it where they are not. */
async function groupsOf(
  taker: Taker,
  piece: PieceOfFile | null,
  columns: number,
  groupSize: number,
): Promise<{ bytes: Uint8Array; columnOrder?: Int32Array }> {
  const asBytes = (numbers: Int32Array): Uint8Array => new Uint8Array(numbers.buffer);
  if (piece === null)
    return { bytes: asBytes(Int32Array.from({ length: columns }, (_, k) => Math.floor(k / groupSize))) };
  taker.want(piece, 1, columns);
  const groups = new Int32Array(columns);
  await piece.into(new Uint8Array(groups.buffer));
  const numGroups = Math.ceil(columns / groupSize);
  const members: number[][] = Array.from({ length: numGroups }, () => []);
  groups.forEach((group, column) => {
    const list = members[group];
    if (list === undefined) taker.refuse(`column ${column} is of group ${group} of ${numGroups}`);
    else list.push(column);
  });
  members.forEach((list, group) => {
    if (list.length === Math.min(groupSize, columns - group * groupSize)) return;
    taker.unsupported(`group ${group} has ${list.length} columns instead of ${groupSize}, which is not read here`);
  });
  const columnOrder = Int32Array.from(members.flat());
  const isSorted = columnOrder.every((column, place) => column === place);
  return { bytes: asBytes(groups), ...(isSorted ? {} : { columnOrder }) };
}
