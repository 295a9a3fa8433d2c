/** `--in`, `--collection`, `--type`, `--since`, `--until`: what a question is asked in. */
import path from 'node:path';
import type { Scope } from '../../app/contract/types.ts';
import type { Core } from '../compose.ts';
import { type Values, WrongUse } from './command.ts';

export const scopeOptions = ['in', 'collection', 'type', 'since', 'until'] as const;
export const scopeUsage = '[--in PLACES] [--collection NAMES] [--type pdf,docx] [--since 2024-01-31] [--until DAY]';

/** Null where none of the options is given: everything. */
export function scopeOf(values: Values, core: Pick<Core, 'app'>): Scope | null {
  if (scopeOptions.every((name) => values[name] === undefined)) return null;
  const listed = (text: string | undefined, separator: string): string[] =>
    (text ?? '')
      .split(separator)
      .map((part) => part.trim())
      .filter((part) => part !== '');
  return core.app.scopeOf({
    // Several are written as in PATH: a comma may be part of a name.
    places: listed(values.in, path.delimiter),
    collections: listed(values.collection, path.delimiter),
    kinds: listed(values.type, ','),
    changedFromMs: dayOf(values, 'since', 0),
    changedBeforeMs: dayOf(values, 'until', 1),
  });
}

/** The beginning of a day, `numDaysLater`, in local time. */
function dayOf(values: Values, name: string, numDaysLater: number): number | null {
  const text = values[name];
  if (text === undefined) return null;
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)?.map(Number) ?? [];
  const begin = new Date(year ?? Number.NaN, (month ?? 1) - 1, day);
  if (begin.getMonth() !== (month ?? 0) - 1) throw new WrongUse(`--${name} must be a day, as 2024-01-31.`);
  begin.setDate(begin.getDate() + numDaysLater);
  return begin.getTime();
}
