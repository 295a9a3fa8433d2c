/** The log of a profile: one JSON object a line in `quoth.log`, and one older file beside it. */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Log } from '../app/outside.ts';

const maxLogBytes = 2_000_000;
const maxLineCharacters = 4_000;

/** What of a value is written: no document's text, no secret. Long texts are cut, keys that name a secret are left out. */
function forLog(key: string, value: unknown): unknown {
  if (/token|secret|password|authorization|cookie/i.test(key) && typeof value !== 'number') return '(left out)';
  if (value instanceof Error)
    return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
  const maxCharacters = key === 'stack' ? 1_500 : 300;
  if (typeof value === 'string' && value.length > maxCharacters) return `${value.slice(0, maxCharacters)}…`;
  return value;
}

/**
 * Writes at once and in order, so that the last line before a crash is there. A log that cannot be written (a full disk)
 * never stops the work.
 */
export function createLogFile(profileFolder: string, nowMs: () => number): Log {
  const file = path.join(profileFolder, 'quoth.log');
  let sizeBytes = -1;
  return (level, message, details) => {
    try {
      if (sizeBytes < 0) {
        mkdirSync(profileFolder, { recursive: true, mode: 0o700 });
        sizeBytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      }
      const time = new Date(nowMs()).toISOString();
      const whole = JSON.stringify({ time, level, message, ...details }, forLog);
      const line = `${whole.length <= maxLineCharacters ? whole : JSON.stringify({ time, level, message, details: '(too long)' })}\n`;
      if (sizeBytes > maxLogBytes) {
        renameSync(file, path.join(profileFolder, 'quoth.old.log'));
        sizeBytes = 0;
      }
      appendFileSync(file, line, { mode: 0o600 });
      sizeBytes += Buffer.byteLength(line);
    } catch {
      sizeBytes = -1;
    }
  };
}
