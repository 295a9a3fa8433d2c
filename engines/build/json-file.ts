/** A checkpoint's JSON files: absent, or sound. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { damaged } from './checkpoint.ts';
import { parseStrictJson } from './strict-json.ts';

export type Json = Record<string, unknown>;

const maxJsonBytes = 256 * 1024 * 1024;

/** The object in a folder's file; null where there is no such file. Fails with a sentence that names it. */
export async function readJson(folder: string, name: string): Promise<Json | null> {
  const json = await readAnyJson(folder, name);
  if (json !== null && (typeof json !== 'object' || Array.isArray(json)))
    throw damaged(join(folder, name), 'it is no object');
  return json as Json | null;
}

/** The same for a file that holds a list of objects. */
export async function readJsonList(folder: string, name: string): Promise<Json[] | null> {
  const json = await readAnyJson(folder, name);
  const isObject = (item: unknown): boolean => typeof item === 'object' && item !== null && !Array.isArray(item);
  if (json !== null && !(Array.isArray(json) && json.length <= 1000 && json.every(isObject)))
    throw damaged(join(folder, name), 'it is no list of objects');
  return json as Json[] | null;
}

/** The bytes of a file beside the weights; null where there is no such file. Fails where it is absurdly large. */
export async function readSmallFile(path: string): Promise<Buffer | null> {
  const size = await stat(path).then(
    (found) => (found.isFile() ? found.size : null),
    () => null,
  );
  if (size === null) return null;
  if (size > maxJsonBytes) throw damaged(path, 'it is too large');
  return readFile(path);
}

async function readAnyJson(folder: string, name: string): Promise<unknown> {
  const path = join(folder, name);
  const bytes = await readSmallFile(path);
  if (bytes === null) return null;
  let json: unknown;
  try {
    // A tokenizer has a million names, and none of them decides where anything is read.
    json = name.startsWith('tokenizer') ? JSON.parse(bytes.toString('utf8')) : parseStrictJson(bytes);
  } catch (cause) {
    throw damaged(path, cause instanceof SyntaxError ? 'it is no JSON' : `it ${(cause as Error).message}`, cause);
  }
  // Null here would be a file that is not there.
  if (json === null) throw damaged(path, 'it is no object');
  return json;
}
