/** The child of passage-index.test.ts: adds and removes passages and writes generations until it is killed. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { openDatabase } from '../../app/store/database.ts';
import { createDocumentTable } from '../../app/store/document-table.ts';
import { createPassageTable } from '../../app/store/passage-table.ts';
import { openPassageIndex } from '../../ingest/passage-index.ts';
import { openAddon } from '../native/open-addon.ts';
import { embedAllByHash } from './hashing-embedder.ts';

const profileFolder = process.argv[2]!;
const outside = { nowMs: Date.now, randomBytes: (numBytes: number) => randomBytes(numBytes) };
const database = openDatabase({ profileFolder, nowMs: Date.now, log: () => {} });
const documents = createDocumentTable(database, outside);
const store = createPassageTable(database);
const index = await openPassageIndex({
  native: openAddon(),
  store,
  folder: path.join(profileFolder, 'index'),
  embedderId: 'hash',
  dimension: 64,
  log: () => {},
});
for (let round = 0; ; round++) {
  const name = `${round % 3}.txt`;
  const { id } = documents.insertQueued({ type: 'file', path: `/${name}`, name, sizeBytes: 1, modifiedAtMs: 1 });
  const texts = Array.from({ length: 600 }, (_, i) => `passage${i} of ${name} in ${process.pid} round${round}`);
  const chunks = texts.map((text, ordinal) => ({
    ordinal,
    text,
    heading: null,
    locator: { type: 'paragraph' as const, paragraph: ordinal + 1 },
  }));
  const vectors = embedAllByHash(texts);
  const embedded = { embedderId: 'hash', vectors };
  const hash = String(round).padStart(64, '0');
  const { addedIds, removedIds } = store.replacePassages(id, chunks, embedded, {
    title: name,
    kind: 'text',
    numPages: null,
    contentHash: hash,
  });
  await index.remove(removedIds);
  await index.add(addedIds, vectors);
  fs.writeSync(1, `${store.generation()?.file}\n`);
}
