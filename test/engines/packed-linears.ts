/** Packed linears, made by tests: random codes, zero points and scales, packed forward. */
import { randomNumbers } from './checkpoints.ts';

export type Layout =
  | 'awq_gemm'
  | 'awq_gemv'
  | 'awq_gemv_fast'
  | 'gptq'
  | 'gptq_v2'
  | 'compressed'
  | 'compressed_symmetric';

export type Packing = { layout: Layout; bits?: 4 | 8; groupSize: number; actOrder?: boolean };

export type RawTensor = { dtype: string; shape: number[]; bytes: Uint8Array };
export type RawTensors = Map<string, RawTensor>;

export const bytesOfArray = (array: Int32Array | Uint16Array | Float32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Whole numbers from 0 to `below` - 1, the same for the same seed. */
export function randomWhole(count: number, below: number, seed: number): Int32Array {
  return Int32Array.from(randomNumbers(count, seed), (x) => Math.min(below - 1, Math.floor((x / 0.2 + 0.5) * below)));
}

/** Scales that f16 holds exactly: sixteenths of 2^-7, some negative, none zero. */
function randomScales(count: number, seed: number): Float32Array {
  const sign = randomWhole(count, 8, seed + 1);
  return Float32Array.from(
    randomWhole(count, 16, seed),
    (x, i) => ((x + 16) / 16) * 2 ** -7 * (sign[i] === 0 ? -1 : 1),
  );
}

/** The bits of a normal f16 that holds `value` exactly, or of zero. */
export function halfBits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = Math.round((Math.abs(value) / 2 ** exponent - 1) * 1024);
  return (value < 0 ? 0x8000 : 0) | (((exponent + 15) << 10) + fraction);
}

/** A linear's tensors by their endings, and what its weights are, [rows, columns]. */
export function packLinear(
  { layout, bits = 4, groupSize, actOrder }: Packing,
  rows: number,
  columns: number,
  seed: number,
  order?: Int32Array,
): { tensors: RawTensors; weights: Float32Array } {
  const numGroups = Math.ceil(columns / groupSize);
  const ofWord = 32 / bits;
  const codes = randomWhole(rows * columns, 2 ** bits, seed);
  const scales = randomScales(rows * numGroups, seed + 2);
  const middle = 2 ** (bits - 1);
  const isSymmetric = layout === 'compressed_symmetric' || bits === 8;
  const shift = layout === 'gptq' ? 1 : 0;
  const zeros = randomWhole(rows * numGroups, 2 ** bits, seed + 3).map((zero) => (isSymmetric ? middle : zero + shift));
  const groups = Int32Array.from({ length: columns }, (_, k) => Math.floor(k / groupSize));
  if (actOrder === true) {
    for (const [k, column] of (order ?? randomOrder(columns, seed)).entries())
      groups[column] = Math.floor(k / groupSize);
  }

  const weights = new Float32Array(rows * columns);
  for (let n = 0; n < rows; n++) {
    for (let k = 0; k < columns; k++) {
      const at = n * numGroups + groups[k]!;
      weights[n * columns + k] = (codes[n * columns + k]! - zeros[at]!) * scales[at]!;
    }
  }

  const tensors: RawTensors = new Map();
  const put = (ending: string, dtype: string, shape: number[], array: Parameters<typeof bytesOfArray>[0]) =>
    tensors.set(ending, { dtype, shape, bytes: bytesOfArray(array) });
  /** Words along the last dimension of a matrix of codes. */
  const words = (height: number, width: number, code: (row: number, column: number) => number): Int32Array => {
    const packed = new Int32Array(height * Math.ceil(width / ofWord));
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        packed[row * Math.ceil(width / ofWord) + Math.floor(column / ofWord)]! |=
          code(row, column) << (bits * (column % ofWord));
      }
    }
    return packed;
  };
  const turn = (packed: Int32Array, height: number, width: number): Int32Array =>
    Int32Array.from(packed, (_, i) => packed[(i % height) * width + Math.floor(i / height)]!);
  const halves = (count: number, value: (index: number) => number) =>
    Uint16Array.from({ length: count }, (_, i) => halfBits(value(i)));
  const scaleAt = (row: number, group: number) => scales[row * numGroups + group]!;
  const zeroAt = (row: number, group: number) => zeros[row * numGroups + group]! - shift;
  const codeAt = (row: number, column: number) => codes[row * columns + column]!;
  const awqPlace = [0, 2, 4, 6, 1, 3, 5, 7];
  const awqColumn = (place: number) => place - (place % 8) + awqPlace[place % 8]!;
  const multiple = groupSize >= 128 ? 1 : groupSize >= 64 ? 2 : 4;
  const padded = Math.ceil(Math.ceil(numGroups / 8) / multiple) * multiple;
  const within = (group: number, value: (group: number) => number) => (group < numGroups ? value(group) : 0);

  if (layout === 'awq_gemm') {
    put(
      'qweight',
      'I32',
      [columns, rows / 8],
      words(columns, rows, (k, n) => codeAt(awqColumn(n), k)),
    );
    put(
      'qzeros',
      'I32',
      [numGroups, rows / 8],
      words(numGroups, rows, (g, n) => zeroAt(awqColumn(n), g)),
    );
    put(
      'scales',
      'F16',
      [numGroups, rows],
      halves(numGroups * rows, (i) => scaleAt(i % rows, Math.floor(i / rows))),
    );
  } else if (layout === 'awq_gemv') {
    put('qweight', 'I32', [rows, columns / 8], words(rows, columns, codeAt));
    put(
      'qzeros',
      'I32',
      [rows, padded],
      words(rows, 8 * padded, (n, g) => within(g, (group) => zeroAt(n, group))),
    );
    const scale = (i: number) => within(i % (8 * padded), (group) => scaleAt(Math.floor(i / (8 * padded)), group));
    put('scales', 'F16', [rows, 8 * padded], halves(rows * 8 * padded, scale));
  } else if (layout === 'awq_gemv_fast') {
    const packed = new Uint16Array((rows * columns) / 4);
    for (let n = 0; n < rows; n++) {
      for (let k = 0; k < columns; k++) {
        const word = (Math.floor(n / 4) * (columns / 64) + Math.floor(k / 64)) * 64;
        const at = (n % 4) * 16 + Math.floor((k % 64) / 32) * 8 + Math.floor((k % 8) / 2) * 2 + (k % 2);
        packed[word + at]! |= codeAt(n, k) << (4 * Math.floor((k % 32) / 8));
      }
    }
    put('qweight', 'I16', [rows / 4, columns], packed);
    const place = (i: number, value: (row: number, group: number) => number) =>
      within(Math.floor(i / rows), (group) => value(i % rows, group));
    const product = (row: number, group: number) => -zeroAt(row, group) * scaleAt(row, group);
    put(
      'scaled_zeros',
      'F16',
      [8 * padded, rows],
      halves(8 * padded * rows, (i) => place(i, product)),
    );
    put(
      'scales',
      'F16',
      [8 * padded, rows],
      halves(8 * padded * rows, (i) => place(i, scaleAt)),
    );
  } else if (layout === 'gptq' || layout === 'gptq_v2') {
    const perRow = columns / ofWord;
    put('qweight', 'I32', [perRow, rows], turn(words(rows, columns, codeAt), rows, perRow));
    put(
      'qzeros',
      'I32',
      [numGroups, rows / ofWord],
      words(numGroups, rows, (g, n) => zeroAt(n, g)),
    );
    put(
      'scales',
      'F16',
      [numGroups, rows],
      halves(numGroups * rows, (i) => scaleAt(i % rows, Math.floor(i / rows))),
    );
    put('g_idx', 'I32', [columns], groups);
  } else {
    put('weight_packed', 'I32', [rows, columns / ofWord], words(rows, columns, codeAt));
    put(
      'weight_scale',
      'F16',
      [rows, numGroups],
      halves(rows * numGroups, (i) => scales[i]!),
    );
    put('weight_shape', 'I64', [2], BigInt64Array.of(BigInt(rows), BigInt(columns)));
    if (layout === 'compressed') {
      const high = Math.ceil(rows / ofWord);
      const across = words(numGroups, rows, (g, n) => zeroAt(n, g));
      put('weight_zero_point', 'I32', [high, numGroups], turn(across, numGroups, high));
    }
    if (actOrder === true) put('weight_g_idx', 'I32', [columns], groups);
  }
  return { tensors, weights };
}

export function randomOrder(count: number, seed: number): Int32Array {
  const draws = randomNumbers(count, seed + 4);
  return Int32Array.from([...draws.keys()].sort((a, b) => draws[a]! - draws[b]!));
}

/** A safetensors file of whole tensors. */
export function safetensorsOf(tensors: RawTensors): Buffer {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, ...[...tensors.values()].map(({ bytes }) => bytes)]);
}

/** What config.json says of a packing. */
export function quantizationConfigOf({ layout, bits = 4, groupSize, actOrder }: Packing): Record<string, unknown> {
  if (layout.startsWith('awq')) {
    const version = layout.slice('awq_'.length);
    return {
      quant_method: 'awq',
      bits,
      group_size: groupSize,
      zero_point: true,
      version,
      modules_to_not_convert: null,
    };
  }
  if (layout.startsWith('gptq')) {
    const format = { desc_act: actOrder === true, sym: false, checkpoint_format: layout };
    return { quant_method: 'gptq', bits, group_size: groupSize, ...format };
  }
  const symmetric = layout === 'compressed_symmetric';
  const weights = { num_bits: bits, type: 'int', symmetric, strategy: 'group', group_size: groupSize };
  const config_groups = { group_0: { targets: ['Linear'], weights, input_activations: null } };
  return { quant_method: 'compressed-tensors', format: 'pack-quantized', ignore: ['lm_head'], config_groups };
}
