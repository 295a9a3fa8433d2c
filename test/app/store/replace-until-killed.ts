/**
 * The child of kill.test.ts: replaces passages, chats and settings for ever, and says each thing on its output once the
 * store has returned from it, until it is killed.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { createChatTable } from '../../../app/store/chat-table.ts';
import { openDatabase } from '../../../app/store/database.ts';
import { createDocumentTable } from '../../../app/store/document-table.ts';
import { createPassageTable } from '../../../app/store/passage-table.ts';
import { createSettingsTable } from '../../../app/store/settings-table.ts';
import { embedAllByHash } from '../../ingest/hashing-embedder.ts';

const [profileFolder, firstRound] = process.argv.slice(2) as [string, string];
const outside = { nowMs: Date.now, randomBytes: (numBytes: number) => randomBytes(numBytes) };
const database = openDatabase({ profileFolder, nowMs: Date.now, log: () => {} });
const documents = createDocumentTable(database, outside);
const passages = createPassageTable(database);
const chats = createChatTable(database, outside);
const settings = createSettingsTable(database);

/** Written at once, not when the stream likes: what was said must be out when the signal comes. */
function say(message: unknown): void {
  fs.writeSync(1, `${JSON.stringify(message)}\n`);
}

say({ type: 'open' });
for (let round = Number(firstRound); ; round++) {
  const name = `file-${round % 5}.txt`;
  const source = { type: 'file' as const, path: `/files/${name}`, name, sizeBytes: round, modifiedAtMs: round };
  const { id } = documents.insertQueued(source);
  documents.setState(id, 'reading');
  const texts = Array.from({ length: 20 }, (_, i) => `round${round} word${i} of ${name}`);
  const chunks = texts.map((text, ordinal) => ({
    ordinal,
    text,
    heading: null,
    locator: { type: 'page' as const, page: ordinal + 1 },
  }));
  const embedded = { embedderId: 'hash', vectors: embedAllByHash(texts) };
  passages.replacePassages(id, chunks, embedded, {
    title: `round ${round}`,
    kind: 'text',
    numPages: 20,
    contentHash: String(round).padStart(64, '0'),
  });
  say({ type: 'document', name, round });
  const chatId = chats.create(`round ${round}`);
  chats.addTurn(chatId, `question ${round}`);
  say({ type: 'chat', chatId, round });
  settings.writeValue('round', round);
  say({ type: 'setting', round });
  if (round % 7 === 6) {
    documents.remove(id);
    say({ type: 'removed', name, round });
  }
}
