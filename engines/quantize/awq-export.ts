/**
 * A folder in AutoAWQ's "gemm" form, as the hub has them: what transformers, vLLM and others read. Each rounded linear
 * becomes `qweight`, `qzeros` and `scales`; all other tensors are f16; the tokenizer's files are copied.
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type Room, refuseWithoutRoom } from '../build/room.ts';
import type { PackPiece } from '../graph/passes/pack.ts';
import { compile } from '../graph/passes/passes.ts';
import type { WeightPart } from '../graph/types.ts';
import { ModelError } from '../model-error.ts';
import { memoryOf } from './memory.ts';
import { countProgress, type QuantizeProgress } from './progress.ts';
import type { QuantizeReport } from './report.ts';
import type { PartSource } from './source.ts';
import type { PieceWork } from './work-piece.ts';
import {
  createSafetensors,
  entryBytes,
  type SafetensorsEntry,
  type SafetensorsFile,
  shard,
} from './write-safetensors.ts';

const maxShardBytes = 4e9;
const groupColumns = 128;

/** Files beside the weights that a reader of the folder wants. */
const carried =
  /^(tokenizer[._].*|tokenizer\.model|.*_map\.json|added_tokens\.json|vocab\..*|merges\.txt|generation_config\.json|chat_template\..*|(license|notice|use_policy).*)$/i;

type Output = { readonly part: WeightPart; readonly entries: readonly SafetensorsEntry[]; readonly rounded: boolean };

/** Writes `folder`, which must not be there yet; it appears when it is whole. */
export async function exportAwq(options: {
  from: string;
  folder: string;
  work: PieceWork;
  source: PartSource;
  room: Room;
  onProgress: ((progress: QuantizeProgress) => void) | undefined;
}): Promise<QuantizeReport> {
  const { work, source } = options;
  const folder = resolve(options.folder);
  const config = await readConfig(options.from);
  if (
    await stat(folder).then(
      () => true,
      () => false,
    )
  ) {
    throw new ModelError('invalid-input', `${folder} is there already.`);
  }
  const outputs = outputsOf(work);
  const entries = outputs.flatMap((output) => output.entries);
  const shards = shard(entries, maxShardBytes);
  const totalBytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  const largest = Math.max(...outputs.map(({ part }) => 4 * part.rows * part.columns));
  await refuseWithoutRoom(options.room, { out: folder, diskBytes: totalBytes, memoryBytes: memoryOf(work, largest) });
  const progress = countProgress(totalBytes, options.onProgress);

  const partial = `${folder}.${randomBytes(6).toString('hex')}.partial`;
  await mkdir(partial);
  try {
    const nameOf = (index: number): string => {
      const number = (value: number): string => String(value).padStart(5, '0');
      return shards.length === 1
        ? 'model.safetensors'
        : `model-${number(index + 1)}-of-${number(shards.length)}.safetensors`;
    };
    await writeShards(work, source, outputs, shards, (index) => join(partial, nameOf(index)), progress);
    if (shards.length > 1) {
      const weightMap = Object.fromEntries(shards.flatMap((own, at) => own.map(({ name }) => [name, nameOf(at)])));
      await writeJson(join(partial, 'model.safetensors.index.json'), {
        metadata: { total_size: totalBytes },
        weight_map: weightMap,
      });
    }
    await writeJson(join(partial, 'config.json'), configOf(config, outputs));
    for (const name of await readdir(options.from)) {
      const isFile = await stat(join(options.from, name)).then((found) => found.isFile());
      if (isFile && carried.test(name)) await copyFile(join(options.from, name), join(partial, name));
    }
    const report = await source.finish();
    await rename(partial, folder);
    return report;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

async function readConfig(from: string): Promise<Record<string, unknown>> {
  try {
    return JSON.parse(await readFile(join(from, 'config.json'), 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    const message = `Only a folder of the hub's form can become one: ${basename(from)} has no config.json.`;
    throw new ModelError('invalid-input', message, { cause });
  }
}

/** What each part of the model becomes, in the order in which the source makes them. */
function outputsOf({ graph, rule, checkpoint }: PieceWork): Output[] {
  const shapes = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
  const { tensors } = compile(graph, { precision: rule, fuse: false });
  const parts = tensors.flatMap(({ type, parts: own }) => own.map((part) => ({ part, type })));
  return parts.flatMap(({ part, type }): Output[] => {
    if (part.values !== undefined) return [];
    const shape = shapes.get(part.name);
    const whole = shape?.rows === part.rows && shape.columns === part.columns;
    if (!whole || part.order !== undefined || part.transposed === true) {
      const message = `AutoAWQ's form cannot be written for ${graph.architecture}: ${part.name} holds several matrices.`;
      throw new ModelError('unsupported-model', message);
    }
    const { rows, columns, name } = part;
    if (type !== 'int4_g128') {
      const dimensions = rows === 1 ? [columns] : [rows, columns];
      return [{ part, entries: [{ name, dtype: 'F16', shape: dimensions }], rounded: false }];
    }
    const at = name.replace(/\.weight$/, '');
    const entries: SafetensorsEntry[] = [
      { name: `${at}.qweight`, dtype: 'I32', shape: [columns, rows / 8] },
      { name: `${at}.qzeros`, dtype: 'I32', shape: [columns / groupColumns, rows / 8] },
      { name: `${at}.scales`, dtype: 'F16', shape: [columns / groupColumns, rows] },
    ];
    return [{ part, entries, rounded: true }];
  });
}

async function writeShards(
  work: PieceWork,
  source: PartSource,
  outputs: readonly Output[],
  shards: readonly SafetensorsEntry[][],
  pathOf: (index: number) => string,
  progress: (bytes: number, tensor: string) => void,
): Promise<void> {
  const shardOf = new Map(shards.flatMap((own, index) => own.map(({ name }) => [name, index] as const)));
  let file: SafetensorsFile | undefined;
  let openShard = -1;
  try {
    for (const output of outputs) {
      const tensors = await tensorsOf(work, source, output);
      for (const [place, { name }] of output.entries.entries()) {
        const index = shardOf.get(name)!;
        if (openShard !== index) {
          await file?.finish();
          file = await createSafetensors(pathOf(index), shards[index]!);
          openShard = index;
        }
        await file!.write(name, tensors[place]!);
        progress(tensors[place]!.length, name);
      }
    }
    await file?.finish();
  } finally {
    await file?.close();
  }
}

async function tensorsOf(
  { arithmetic }: PieceWork,
  source: PartSource,
  { part, rounded, entries }: Output,
): Promise<Uint8Array[]> {
  if (rounded) {
    const packed = await source.take(whole(part), 'int4_g128');
    const { qweight, qzeros, scales } = await arithmetic.toAwqGemm(packed, part.rows, part.columns);
    return [qweight, qzeros, scales];
  }
  const isVector = entries[0]!.shape.length === 1;
  const bytes = await source.take(whole(part), isVector ? 'f32' : 'f16');
  if (!isVector) return [bytes];
  // A scale may have been folded into it; what the graph adds to it (Gemma's 1 +) is no part of the checkpoint.
  const numbers = new Float32Array(bytes.slice().buffer).map((number) => number - (part.plus ?? 0));
  const shape = { numRows: 1, numColumns: part.columns };
  const { builder } = arithmetic;
  return [await builder.pack({ bytes: new Uint8Array(numbers.buffer), from: 'f32', to: 'f16', ...shape })];
}

function whole(part: WeightPart): PackPiece {
  return { part, firstRow: 0, numRows: part.rows, sourceOffset: 0, sourceBytes: 0, isCut: false, packedBytes: 0 };
}

/** The checkpoint's config with what AutoAWQ's readers look for. */
function configOf(config: Record<string, unknown>, outputs: readonly Output[]): Record<string, unknown> {
  const plainLinears = outputs.filter(({ rounded, entries }) => !rounded && entries[0]!.shape.length === 2);
  const names = plainLinears.map(({ part }) => part.name.replace(/\.weight$/, ''));
  const notConverted = names.filter((name) => !/(^|\.)(embed|wte|wpe|word_embeddings|embed_tokens|lm_head)/.test(name));
  return {
    ...config,
    torch_dtype: 'float16',
    quantization_config: {
      quant_method: 'awq',
      bits: 4,
      group_size: groupColumns,
      zero_point: true,
      version: 'gemm',
      modules_to_not_convert: notConverted.length === 0 ? null : notConverted,
    },
  };
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, null, 2)}\n`, { flag: 'wx' });
}
