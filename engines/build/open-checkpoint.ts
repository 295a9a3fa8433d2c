/** Tells the kinds of checkpoints apart, opens one, and finds its tokenizer. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ModelError } from '../model-error.ts';
import { tokenizerFromJson } from '../tokenizer/from-tokenizer-json.ts';
import type { TokenizerJson } from '../tokenizer/types.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openGgufCheckpoint } from './gguf-checkpoint.ts';
import { openHuggingFaceCheckpoint } from './huggingface-checkpoint.ts';
import { openLlama2cCheckpoint } from './llama2c-checkpoint.ts';

const maxTokenizerBytes = 256 * 1024 * 1024;

/** Opens a GGUF file, a folder with config.json and safetensors, or a .bin of llama2.c. The caller closes it. */
export async function openCheckpoint(
  path: string,
  tokenizerFile?: string,
  contextTokens?: number,
): Promise<Checkpoint> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ModelError('invalid-input', `${basename(path)} cannot be opened.`, { cause });
  });
  if (found.isDirectory()) return openHuggingFaceCheckpoint(path, contextTokens);
  if (!found.isFile()) throw new ModelError('invalid-input', `${basename(path)} is neither a file nor a folder.`);
  if (path.toLowerCase().endsWith('.bin')) {
    return openLlama2cCheckpoint(path, tokenizerFile?.toLowerCase().endsWith('.bin') ? tokenizerFile : undefined);
  }
  return openGgufCheckpoint(path, contextTokens);
}

/** The tokenizer that is asked for, or the checkpoint's own. */
export async function tokenizerFor(
  checkpoint: Checkpoint,
  options: { readonly checkpoint: string; readonly tokenizerFile?: string },
): Promise<TokenizerJson> {
  const tokenizer = (await tokenizerOf(options.tokenizerFile)) ?? checkpoint.tokenizer;
  if (tokenizer !== null) return tokenizer;
  throw new ModelError('invalid-checkpoint', `${basename(options.checkpoint)} has no tokenizer; name one.`);
}

async function tokenizerOf(file: string | undefined): Promise<TokenizerJson | null> {
  if (file === undefined || !file.toLowerCase().endsWith('.json')) return null;
  if ((await stat(file)).size > maxTokenizerBytes)
    throw new ModelError('invalid-checkpoint', `${basename(file)} is too large.`);
  try {
    return tokenizerFromJson(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw new ModelError('invalid-checkpoint', `${basename(file)} is no JSON.`, { cause });
  }
}

/**
 * What tells one state of a checkpoint from another without reading it: names, sizes and times of change of its files. A
 * build that was interrupted goes on only with the same.
 */
export async function stateOfCheckpoint(path: string): Promise<string> {
  const isFolder = (await stat(path)).isDirectory();
  const files = isFolder ? (await readdir(path)).sort().map((name) => join(path, name)) : [path];
  const states: string[] = [];
  for (const file of files) {
    const { size, mtimeMs } = await stat(file);
    states.push(`${basename(file)} ${size} ${mtimeMs}`);
  }
  return createHash('sha256').update(states.join('\n')).digest('hex');
}
