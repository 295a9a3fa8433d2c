import type { z } from 'zod';
import { type Settings, settings } from '../contract/types.ts';
import type { Database } from './database.ts';
import { withStoreErrors } from './store-error.ts';

/** Greedy: an answer from documents should say what they say, and the same each time. 512 tokens are about one page of text. */
export const defaultSettings: Settings = {
  language: 'system',
  theme: 'system',
  textSize: 100,
  answerTokens: 512,
  temperature: 0,
  captionLanguages: ['en'],
  systemPrompt: '',
  contextTokens: null,
  kvPrecision: 'auto',
  shortcut: null,
  keepInTray: false,
  notifications: true,
  offline: false,
};

/** Settings and the application's own small values, one JSON value per key. */
export type SettingsTable = {
  /** All settings; one that was never set, or is not what it should be, has its default. */
  read(): Settings;
  /** Changes the given ones in one commit and returns all. */
  change(changed: Partial<Settings>): Settings;
  /** A value of the application's own, checked against its schema, or `fallback`. */
  readValue<Value>(key: string, schema: z.ZodType<Value>, fallback: Value): Value;
  writeValue(key: string, value: unknown): void;
};

export function createSettingsTable(database: Database): SettingsTable {
  const { sqlite } = database;
  const select = sqlite.prepare<[string], { value: string }>('SELECT value FROM settings WHERE key = ?');
  const upsert = sqlite.prepare(
    'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );

  function readValue<Value>(key: string, schema: z.ZodType<Value>, fallback: Value): Value {
    const row = select.get(key);
    if (!row) return fallback;
    try {
      const parsed = schema.safeParse(JSON.parse(row.value));
      return parsed.success ? parsed.data : fallback;
    } catch {
      return fallback; // not JSON: the row was damaged, and a default is a fair answer for a setting
    }
  }

  function read(): Settings {
    const found = Object.entries(settings.shape).map(([key, schema]): [string, unknown] => [
      key,
      readValue<unknown>(`settings.${key}`, schema, defaultSettings[key as keyof Settings]),
    ]);
    return settings.parse(Object.fromEntries(found));
  }

  const change = sqlite.transaction((changed: Partial<Settings>): Settings => {
    for (const [key, value] of Object.entries(settings.partial().parse(changed)))
      if (value !== undefined) upsert.run(`settings.${key}`, JSON.stringify(value));
    return read();
  });

  return withStoreErrors(database, {
    read,
    change: (changed: Partial<Settings>) => change(changed),
    readValue,
    writeValue(key: string, value: unknown) {
      upsert.run(key, JSON.stringify(value));
    },
  });
}
