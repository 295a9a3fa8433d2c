/** JSON that comes from files and from standard input. */
import { readFile } from 'node:fs/promises';
import { QuothError } from '../../app/contract/errors.ts';

/** A file with a JSON array of token ids, each below `vocabularySize`. */
export async function readIds(file: string, vocabularySize: number): Promise<Int32Array> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new QuothError('not-found', `The file "${file}" cannot be read.`, { cause });
  });
  const ids = parseJson(text, `The file "${file}"`);
  const isId = (id: unknown): boolean => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabularySize;
  if (!Array.isArray(ids) || ids.length === 0 || !ids.every(isId))
    throw new QuothError(
      'invalid-input',
      `The file "${file}" must hold a JSON array of ids from 0 to ${vocabularySize - 1}.`,
    );
  return Int32Array.from(ids);
}

/** The JSON strings of standard input, one a line; empty lines are passed over. */
export async function* readStrings(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let lineNumber = 0;
  for await (const line of lines) {
    lineNumber += 1;
    if (line.trim() === '') continue;
    const value = parseJson(line, `Line ${lineNumber}`);
    if (typeof value !== 'string') throw new QuothError('invalid-input', `Line ${lineNumber} is not a JSON string.`);
    yield value;
  }
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new QuothError('invalid-input', `${what} is not JSON.`, { cause });
  }
}
