/**
 * What a hub folder says of its packed weights: `quantization_config` in config.json, or the older quantize_config.json
 * (GPTQ) and quant_config.json (AWQ). Read strictly: what is not understood is refused, since a wrong guess makes a
 * model that answers nonsense.
 */
import { ModelError } from '../model-error.ts';
import { damaged } from './checkpoint.ts';

type Json = Readonly<Record<string, unknown>>;

/** `groupSize` null: one group a row. */
export type Quantization =
  | {
      readonly method: 'awq';
      readonly layout: 'awq_gemm' | 'awq_gemv' | 'awq_gemv_fast';
      readonly groupSize: number | null;
    }
  | {
      readonly method: 'gptq';
      readonly layout: 'gptq' | 'gptq_v2';
      readonly bits: 4 | 8;
      readonly groupSize: number | null;
    }
  | { readonly method: 'compressed-tensors'; readonly schemes: readonly CompressedScheme[] };

export type CompressedScheme = {
  readonly bits: 4 | 8;
  readonly symmetric: boolean;
  readonly groupSize: number | null;
};

/** `path` is the file that errors name. Fails with a `ModelError`. */
export function parseQuantization(json: unknown, path: string): Quantization {
  const config = readObject(json, 'quantization_config', path);
  const method = text(config, 'quant_method', path) ?? methodOfOldFile(config);
  if (method === 'awq') return parseAwq(config, path);
  if (method === 'gptq') return parseGptq(config, path);
  if (method === 'compressed-tensors') return parseCompressed(config, path);
  throw unsupported(`Weights quantized by ${method ?? 'an unnamed method'}`);
}

function methodOfOldFile(config: Json): string | null {
  if (config.w_bit !== undefined) return 'awq';
  return config.bits !== undefined && config.desc_act !== undefined ? 'gptq' : null;
}

function parseAwq(config: Json, path: string): Quantization {
  const bits = whole(config, config.bits === undefined ? 'w_bit' : 'bits', path);
  if (bits !== 4) throw unsupported(`AWQ in ${bits} bits`);
  const backend = text(config, 'backend', path) ?? 'autoawq';
  if (backend !== 'autoawq') throw unsupported(`AWQ as ${backend} writes it`);
  if (flag(config, 'zero_point', path) === false) throw unsupported('AWQ without zero points');
  const version = (text(config, 'version', path) ?? 'gemm').toLowerCase();
  if (version !== 'gemm' && version !== 'gemv' && version !== 'gemv_fast') {
    throw unsupported(`AWQ's version ${version}`);
  }
  textsOrNull(config, 'modules_to_not_convert', path);
  const groupSize = sizeOfGroup(config, config.group_size === undefined ? 'q_group_size' : 'group_size', path);
  return { method: 'awq', layout: `awq_${version}`, groupSize };
}

function parseGptq(config: Json, path: string): Quantization {
  const bits = whole(config, 'bits', path);
  if (bits !== 4 && bits !== 8) throw unsupported(`GPTQ in ${bits} bits`);
  flag(config, 'sym', path);
  flag(config, 'desc_act', path);
  textsOrNull(config, 'modules_to_not_convert', path);
  const packing = text(config, 'pack_dtype', path) ?? 'int32';
  if (packing !== 'int32') throw unsupported(`GPTQ packed in ${packing}`);
  const dynamic = config.dynamic ?? {};
  if (Object.keys(readObject(dynamic, 'dynamic', path)).length > 0) {
    throw unsupported('GPTQ with other settings for some modules (`dynamic`)');
  }
  const format = text(config, 'checkpoint_format', path) ?? 'gptq';
  const isMarlin = flag(config, 'is_marlin_format', path) === true;
  if (isMarlin || (format !== 'gptq' && format !== 'gptq_v2')) {
    throw unsupported(`GPTQ in the format ${isMarlin ? 'marlin' : format}`);
  }
  return { method: 'gptq', layout: format, bits, groupSize: sizeOfGroup(config, 'group_size', path) };
}

function parseCompressed(config: Json, path: string): Quantization {
  const sparsity = config.sparsity_config ?? {};
  const sparse = text(readObject(sparsity, 'sparsity_config', path), 'format', path) ?? 'dense';
  if (sparse !== 'dense') throw unsupported(`Weights left out (${sparse})`);
  const transforms = readObject(config.transform_config ?? {}, 'transform_config', path);
  if (Object.keys(readObject(transforms.config_groups ?? {}, 'transform_config.config_groups', path)).length > 0) {
    throw unsupported('Weights turned for their quantization (`transform_config`)');
  }
  textsOrNull(config, 'ignore', path);
  const format = text(config, 'format', path) ?? 'pack-quantized';
  const groups = Object.values(readObject(config.config_groups, 'config_groups', path));
  if (groups.length === 0 || groups.length > 1000) throw damaged(path, 'config_groups is impossible');
  const schemes = groups.map((group): CompressedScheme => {
    const fields = readObject(group, 'config_groups', path);
    const own = text(fields, 'format', path) ?? format;
    if (own !== 'pack-quantized') throw unsupported(`compressed-tensors in the format ${own}`);
    textsOrNull(fields, 'targets', path);
    const weights = readObject(fields.weights, 'config_groups.weights', path);
    const bits = whole(weights, 'num_bits', path);
    const type = text(weights, 'type', path) ?? 'int';
    if (type !== 'int' || (bits !== 4 && bits !== 8)) throw unsupported(`compressed-tensors of ${type}${bits}`);
    const strategy = text(weights, 'strategy', path) ?? 'group';
    if (strategy !== 'group' && strategy !== 'channel') throw unsupported(`Scales a ${strategy}`);
    const groupSize = strategy === 'channel' ? null : sizeOfGroup(weights, 'group_size', path);
    return { bits, symmetric: flag(weights, 'symmetric', path) ?? true, groupSize };
  });
  return { method: 'compressed-tensors', schemes };
}

function unsupported(what: string): ModelError {
  return new ModelError('unsupported-model', `${what} are not read here.`.replace(/^(AWQ|GPTQ)(.*) are /, '$1$2 is '));
}

function readObject(value: unknown, name: string, path: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw damaged(path, `${name} is no object`);
}

/** A key that is null counts as missing. */
function text(config: Json, key: string, path: string): string | null {
  const value = config[key] ?? null;
  if (value === null || (typeof value === 'string' && value.length <= 200)) return value;
  throw damaged(path, `${key} is no text`);
}

function flag(config: Json, key: string, path: string): boolean | null {
  const value = config[key] ?? null;
  if (value === null || typeof value === 'boolean') return value;
  throw damaged(path, `${key} is neither true nor false`);
}

function whole(config: Json, key: string, path: string): number {
  const value = config[key];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 32) return value;
  throw damaged(path, `${key} is missing or impossible`);
}

/** −1 and, in compressed-tensors, nothing: the whole row. */
function sizeOfGroup(config: Json, key: string, path: string): number | null {
  const value = config[key] ?? -1;
  if (value === -1) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 8 && value <= 2 ** 20) return value;
  throw damaged(path, `${key} is impossible`);
}

/** Checked only: what a folder packs shows in its tensors. Patterns in such lists are never run. */
function textsOrNull(config: Json, key: string, path: string): void {
  const value = config[key] ?? null;
  if (value === null) return;
  const sound = Array.isArray(value) && value.length <= 100_000 && value.every((item) => typeof item === 'string');
  if (!sound) throw damaged(path, `${key} is no list of names`);
}
