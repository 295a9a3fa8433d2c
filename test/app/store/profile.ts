import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { createChatTable } from '../../../app/store/chat-table.ts';
import { openDatabase } from '../../../app/store/database.ts';
import { createDocumentTable } from '../../../app/store/document-table.ts';
import { createPassageTable } from '../../../app/store/passage-table.ts';
import { createSettingsTable } from '../../../app/store/settings-table.ts';
import type { Chunk } from '../../../ingest/source.ts';

/** A folder of the test's own, with a space and letters that are not ASCII; removed when the test ends. */
export function createProfile(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quoth 山田 太郎-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** The whole store of a profile, opened for one test. */
export function openStore(profileFolder: string) {
  const outside = { nowMs: Date.now, randomBytes: (numBytes: number) => randomBytes(numBytes) };
  const logged: string[] = [];
  const database = openDatabase({ profileFolder, nowMs: Date.now, log: (_level, message) => logged.push(message) });
  onTestFinished(() => database.close());
  return {
    database,
    logged,
    documents: createDocumentTable(database, outside),
    passages: createPassageTable(database),
    chats: createChatTable(database, outside),
    settings: createSettingsTable(database),
  };
}

export const facts = { title: 'A title', kind: 'text' as const, numPages: null, contentHash: 'ab'.repeat(32) };

export function fileSource(name: string) {
  return { type: 'file' as const, path: path.resolve('/files', name), name, sizeBytes: 10, modifiedAtMs: 1 };
}

export function chunksOf(texts: string[]): Chunk[] {
  return texts.map((text, ordinal) => ({
    ordinal,
    text,
    heading: null,
    locator: { type: 'paragraph', paragraph: ordinal + 1 },
  }));
}
