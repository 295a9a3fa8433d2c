import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPlan } from '../../engines/build/build.ts';
import { openNative } from '../native/native.ts';
import { withFolder, writeTo } from './checkpoints.ts';
import { llamaTensors, tinyLlama, writeLlamaConfig } from './packed-folders.ts';
import {
  halfBits,
  type Packing,
  quantizationConfigOf,
  type RawTensor,
  type RawTensors,
  safetensorsOf,
} from './packed-linears.ts';

/** What is changed: the folder's tensors, what config.json says of them, or the file as it is written. */
type Folder = { tensors: RawTensors; quantization: Record<string, unknown>; file: (bytes: Buffer) => Buffer };
type Damage = [sentence: string, change: (folder: Folder) => void];

const at = 'model.layers.0.self_attn.o_proj';

/** A change of one tensor of one linear. */
function change(ending: string, how: (tensor: RawTensor) => Partial<RawTensor> | null) {
  return ({ tensors }: Folder) => {
    const name = `${at}.${ending}`;
    const tensor = tensors.get(name)!;
    const changed = how(tensor);
    if (changed === null) tensors.delete(name);
    else tensors.set(name, { ...tensor, ...changed });
  };
}

/** The tensor with other sizes, and as many bytes as they ask for. */
function reshaped(tensor: RawTensor, shape: number[]): RawTensor {
  const count = (sizes: number[]) => sizes.reduce((product, size) => product * size, 1);
  const bytes = new Uint8Array((tensor.bytes.length / count(tensor.shape)) * count(shape));
  bytes.set(tensor.bytes.subarray(0, bytes.length));
  return { dtype: tensor.dtype, shape, bytes };
}

const grown = (ending: string, dimension: 0 | 1, by: number) =>
  change(ending, (tensor) =>
    reshaped(
      tensor,
      tensor.shape.map((size, d) => (d === dimension ? size + by : size)),
    ),
  );
const removed = (ending: string) => change(ending, () => null);
const retyped = (ending: string, dtype: string) => change(ending, () => ({ dtype }));
const turned = (ending: string) => change(ending, ({ shape }) => ({ shape: shape.toReversed() }));
const numbered = (ending: string, index: number, value: number) =>
  change(ending, ({ bytes }) => {
    const copy = Buffer.from(bytes);
    copy.writeInt32LE(value, 4 * index);
    return { bytes: copy };
  });
/** The bits of the second f16; the last ones may be padding. */
const scaled = (ending: string, bits: number) =>
  change(ending, ({ bytes }) => {
    const copy = Buffer.from(bytes);
    copy.writeUInt16LE(bits, 2);
    return { bytes: copy };
  });
const said = (more: Record<string, unknown>) => (folder: Folder) => {
  folder.quantization = { ...folder.quantization, ...more };
};

/** What every packing can have wrong, by the endings of its tensors. */
function commonDamages(codes: string, zeros: string, scales: string): Damage[] {
  return [
    ['lacks the codes of a linear', removed(codes)],
    ['lacks the zero points of a linear', removed(zeros)],
    ['lacks the scales of a linear', removed(scales)],
    ['has codes of another type', retyped(codes, codes === 'qweight' ? 'F32' : 'U32')],
    ['has zero points of another type', retyped(zeros, zeros === 'scaled_zeros' ? 'BF16' : 'U32')],
    ['has scales of another type', retyped(scales, 'I16')],
    ['has one row of codes less', grown(codes, 0, -1)],
    ['has eight rows of codes more', grown(codes, 0, 8)],
    ['has one column of codes less', grown(codes, 1, -1)],
    ['has one column of codes more', grown(codes, 1, 1)],
    ['has one row of zero points less', grown(zeros, 0, -1)],
    ['has one row of zero points more', grown(zeros, 0, 1)],
    ['has one column of zero points more', grown(zeros, 1, 1)],
    ['has one row of scales less', grown(scales, 0, -1)],
    ['has one row of scales more', grown(scales, 0, 1)],
    ['has one column of scales less', grown(scales, 1, -1)],
    ['has one column of scales more', grown(scales, 1, 1)],
    ['has its scales the other way', turned(scales)],
    ['has a scale that is no number', scaled(scales, 0x7e00)],
    ['has a scale without end', scaled(scales, 0xfc00)],
    [
      'has a linear packed and unpacked',
      ({ tensors }) => tensors.set(`${at}.weight`, { dtype: 'F16', shape: [2], bytes: new Uint8Array(4) }),
    ],
    [
      'has scales of a linear that is not there',
      ({ tensors }) => tensors.set(`model.extra.${scales}`, { dtype: 'F16', shape: [2], bytes: new Uint8Array(4) }),
    ],
    [
      'has the codes of a linear that the model has in another shape',
      ({ tensors }) => {
        for (const ending of [codes, zeros, scales, 'g_idx', 'weight_shape']) {
          const other = tensors.get(`model.layers.0.mlp.down_proj.${ending}`);
          if (other !== undefined) tensors.set(`${at}.${ending}`, other);
        }
      },
    ],
    ['is cut', (folder) => Object.assign(folder, { file: (bytes: Buffer) => bytes.subarray(0, bytes.length - 1) })],
    ['says that it has another method', said({ quant_method: 'hqq' })],
    ['says no method', said({ quant_method: null, bits: undefined, w_bit: undefined })],
    ['says its method as a number', said({ quant_method: 4 })],
  ];
}

const settings: Damage[] = [
  ['says three bits', said({ bits: 3 })],
  ['says its bits as a text', said({ bits: '4' })],
  ['says minus four bits', said({ bits: -4 })],
  ['says groups of no columns', said({ group_size: 0 })],
  ['says groups of minus two columns', said({ group_size: -2 })],
  ['says groups of half a column', said({ group_size: 0.5 })],
  ['says groups of a text', said({ group_size: '32' })],
  ['says groups of 2^40 columns', said({ group_size: 2 ** 40 })],
  ['says groups that its scales have not', said({ group_size: 64 })],
  ['says groups that its columns are no multiple of', said({ group_size: 24 })],
  ['says modules as a text', said({ modules_to_not_convert: 'lm_head' })],
  ['says modules as numbers', said({ modules_to_not_convert: [1, 2] })],
];

const awq: Damage[] = [
  ...settings,
  ['says a version that is not known', said({ version: 'marlin' })],
  ['says its version as a number', said({ version: 1 })],
  ['says that it has no zero points', said({ zero_point: false })],
  ['says its zero points as a text', said({ zero_point: 'yes' })],
  ['says another writer', said({ backend: 'llm-awq' })],
];

const gptq: Damage[] = [
  ...settings,
  ['has a column of a group below the first', numbered('g_idx', 5, -1)],
  ['has a column of a group past the last', numbered('g_idx', 5, 2)],
  ['has a column of the largest group there is', numbered('g_idx', 63, 2 ** 31 - 1)],
  ['has groups of other sizes', change('g_idx', ({ bytes }) => ({ bytes: new Uint8Array(bytes.length) }))],
  ['has the groups of fewer columns', change('g_idx', (tensor) => reshaped(tensor, [63]))],
  ['has the groups of more columns', change('g_idx', (tensor) => reshaped(tensor, [65]))],
  ['has its groups in two rows', change('g_idx', () => ({ shape: [2, 32] }))],
  ['has its groups as numbers of another type', retyped('g_idx', 'F32')],
  ['says its order as a number', said({ desc_act: 1 })],
  ['says its symmetry as a text', said({ sym: 'no' })],
  ['says a format that is not known', said({ checkpoint_format: 'marlin' })],
  ['says that it is for Marlin', said({ is_marlin_format: true })],
  ['says other settings for some modules', said({ dynamic: { '+:.*': { bits: 8 } } })],
  ['says its settings for modules as a list', said({ dynamic: [] })],
  ['says that it is packed in bytes', said({ pack_dtype: 'int8' })],
  ['says eight bits', said({ bits: 8 })],
];

const group = (more: Record<string, unknown>) => ({
  group_0: {
    targets: ['Linear'],
    weights: { num_bits: 4, type: 'int', symmetric: false, strategy: 'group', group_size: 32, ...more },
  },
});
const shaped = (rows: bigint, columns: bigint) =>
  change('weight_shape', () => ({ bytes: new Uint8Array(BigInt64Array.of(rows, columns).buffer) }));

const compressed: Damage[] = [
  ['lacks the shape of a linear', removed('weight_shape')],
  ['has a shape of another type', retyped('weight_shape', 'F64')],
  ['has a shape of three numbers', change('weight_shape', (tensor) => reshaped(tensor, [3]))],
  ['has a shape of other rows', shaped(63n, 64n)],
  ['has a shape of other columns', shaped(64n, 63n)],
  ['has a shape of no columns', shaped(64n, 0n)],
  ['has a shape of minus 64 columns', shaped(64n, -64n)],
  ['has a shape of 2^62 columns', shaped(64n, 2n ** 62n)],
  ['has a shape that makes two bits of four', shaped(64n, 128n)],
  ['has a column of a group past the last', numbered('weight_g_idx', 9, 2)],
  ['has a column of a group below the first', numbered('weight_g_idx', 9, -(2 ** 31))],
  ['has groups of other sizes', change('weight_g_idx', ({ bytes }) => ({ bytes: new Uint8Array(bytes.length) }))],
  ['says no groups', said({ config_groups: {} })],
  ['says its groups as a list', said({ config_groups: [] })],
  ['says a group that is a text', said({ config_groups: { a: 'b' } })],
  ['says a group without weights', said({ config_groups: { a: { targets: ['Linear'] } } })],
  ['says three bits', said({ config_groups: group({ num_bits: 3 }) })],
  ['says eight bits', said({ config_groups: group({ num_bits: 8 }) })],
  ['says numbers with a point', said({ config_groups: group({ type: 'float' }) })],
  ['says that it is symmetric where it is not', said({ config_groups: group({ symmetric: true }) })],
  ['says a scale per token', said({ config_groups: group({ strategy: 'token' }) })],
  ['says a scale per row where there are more', said({ config_groups: group({ strategy: 'channel' }) })],
  ['says groups of no columns', said({ config_groups: group({ group_size: 0 }) })],
  ['says groups that its scales have not', said({ config_groups: group({ group_size: 16 }) })],
  ['says another format', said({ format: 'int-quantized' })],
  ['says that weights are left out', said({ sparsity_config: { format: 'sparse-24-bitmask' } })],
  ['says that its weights were turned', said({ transform_config: { config_groups: { u: {} } } })],
  ['says what it ignores as a number', said({ ignore: 7 })],
];

/** The packing, its endings, and what else it can have wrong. */
const packings: [string, Packing, Damage[]][] = [
  ['AWQ gemm', { layout: 'awq_gemm', groupSize: 32 }, [...commonDamages('qweight', 'qzeros', 'scales'), ...awq]],
  ['AWQ gemv', { layout: 'awq_gemv', groupSize: 32 }, [...commonDamages('qweight', 'qzeros', 'scales'), ...awq]],
  [
    'AWQ gemv_fast',
    { layout: 'awq_gemv_fast', groupSize: 32 },
    [
      ...commonDamages('qweight', 'scaled_zeros', 'scales'),
      ...awq,
      ['has a zero point of 16', scaled('scaled_zeros', halfBits(-2))],
      ['has a zero point that is no number', scaled('scaled_zeros', 0x7e01)],
    ],
  ],
  ['GPTQ v1', { layout: 'gptq', groupSize: 32 }, [...commonDamages('qweight', 'qzeros', 'scales'), ...gptq]],
  [
    'GPTQ v2 with act-order',
    { layout: 'gptq_v2', groupSize: 32, actOrder: true },
    [...commonDamages('qweight', 'qzeros', 'scales'), ...gptq],
  ],
  [
    'compressed-tensors',
    { layout: 'compressed', groupSize: 32, actOrder: true },
    [...commonDamages('weight_packed', 'weight_zero_point', 'weight_scale'), ...compressed],
  ],
];

describe.each(packings)('A folder of %s is refused with a sentence, when it', (_, packing, damages) => {
  const sound = llamaTensors(tinyLlama, packing).packed;
  const build = (change: (folder: Folder) => void) =>
    withFolder(async (folder) => {
      const parts: Folder = {
        tensors: new Map(sound),
        quantization: quantizationConfigOf(packing),
        file: (bytes) => bytes,
      };
      change(parts);
      await writeLlamaConfig(folder, tinyLlama, parts.quantization);
      await writeTo(folder, 'model.safetensors', parts.file(safetensorsOf(parts.tensors)));
      const { builder } = await openNative();
      await buildPlan({ checkpoint: folder, out: join(folder, 'plan'), builder });
    });

  test('is not sound, and not else', () => build(() => {}));

  test.each(damages)('%s', async (_, change) => {
    await expect(build(change)).rejects.toMatchObject({
      name: 'ModelError',
      code: expect.stringMatching(/^(invalid-checkpoint|unsupported-model)$/),
      // It names the tensor, the file, or the setting.
      message: expect.stringMatching(
        /(o_proj|model\.safetensors|config\.json|model\.extra|AWQ|GPTQ|compressed|Weights|Scales).*/,
      ),
    });
  });
});

describe('A folder of AWQ', () => {
  test('that scales the output of an activation is not called damaged, but not supported', () =>
    withFolder(async (folder) => {
      const packing: Packing = { layout: 'awq_gemm', groupSize: 32 };
      const tensors = new Map(llamaTensors(tinyLlama, packing).packed);
      tensors.set('model.layers.0.mlp.act.scales', { dtype: 'F16', shape: [2], bytes: new Uint8Array(4) });
      await writeLlamaConfig(folder, tinyLlama, quantizationConfigOf(packing));
      await writeTo(folder, 'model.safetensors', safetensorsOf(tensors));
      const { builder } = await openNative();
      await expect(buildPlan({ checkpoint: folder, out: join(folder, 'plan'), builder })).rejects.toMatchObject({
        code: 'unsupported-model',
        message: expect.stringMatching(/model\.layers\.0\.mlp\.act\.scales.*use another quantization/),
      });
    }));
});
