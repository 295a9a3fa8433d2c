/**
 * Measures the whole search over a library of the passages that `words.ts` made and the vectors that `vectors.ts` made:
 *
 *     node test/bench/scale/whole.ts <profile folder> <folder of the vectors>
 *
 * The profile is given vectors once. Then: opening the index from the database alone, opening it from its generation, and
 * searching by meaning, words and wording together; also with copies of passages in the way, and within a scope.
 */
import fs from 'node:fs';
import path from 'node:path';
import { openDatabase } from '../../../app/store/database.ts';
import { createDocumentTable } from '../../../app/store/document-table.ts';
import { createPassageTable } from '../../../app/store/passage-table.ts';
import { createScopeTable } from '../../../app/store/scope-table.ts';
import { openPassageIndex } from '../../../ingest/passage-index.ts';
import { search } from '../../../ingest/search.ts';
import { namedSet } from '../../eval/collections.ts';
import { openNative } from '../../native/native.ts';

const dimension = 384;
const embedderId = 'measured';
const batch = 2_000;

async function main(profileFolder: string, vectorFolder: string): Promise<void> {
  const log = (_level: string, message: string): void => console.error(message);
  const database = openDatabase({ profileFolder, nowMs: Date.now, log });
  const store = createPassageTable(database);
  const scopes = createScopeTable(database);
  const file = fs.openSync(path.join(vectorFolder, 'vectors.f16'), 'r');
  for (let ids = store.passagesWithoutVector(embedderId, batch); ids.length > 0; ) {
    const bytes = new Uint8Array(ids.length * dimension * 2);
    fs.readSync(file, bytes, 0, bytes.length, ((ids[0]!.passageId - 1) % 990_000) * dimension * 2);
    const passageIds = ids.map(({ passageId }) => passageId);
    store.addVectors(embedderId, passageIds, new Float32Array(new Float16Array(bytes.buffer)));
    ids = store.passagesWithoutVector(embedderId, batch);
  }
  const native = await openNative();
  const folder = path.join(profileFolder, 'index');
  for (const what of ['from the database', 'from its generation']) {
    const startMs = performance.now();
    const index = await openPassageIndex({ native, store, folder, embedderId, dimension, log });
    const ms = performance.now() - startMs;
    const resident = process.memoryUsage.rss() / 2 ** 20;
    console.log(
      `${what}: ${await index.numVectors()} vectors in ${(ms / 1000).toFixed(1)} s, ${resident.toFixed(0)} MiB resident`,
    );
    if (what === 'from the database') {
      await index.close();
      continue;
    }
    const asked = new Float32Array(new Uint8Array(fs.readFileSync(path.join(vectorFolder, 'questions.f32'))).buffer);
    const questions = ['squad', 'nq'].flatMap((name) => namedSet(name).queries.map(({ text }) => text));
    const documents = createDocumentTable(database, {
      nowMs: Date.now,
      randomBytes: (size) => new Uint8Array(size),
    }).list();
    const places = Array.from({ length: 200 }, (_, i) => {
      const { id, name } = documents[Math.floor((i * documents.length) / 200)]!;
      return { type: 'document' as const, documentId: id, name };
    });
    const scope = { places, kinds: [], changedFromMs: null, changedBeforeMs: null };
    const apart = scopes.rangesOf(scope)!;
    const { numPassages } = scopes.countsOf(scope);
    const inside = [
      ['everything', undefined],
      [`${numPassages} passages of 200 documents`, apart],
      ['10,000 passages in a row', Float64Array.of(500_001, 510_000)],
    ] as const;
    for (const [name, within] of inside) {
      const times: number[] = [];
      const processorTimes: number[] = [];
      for (let n = 0; n < 100; n++) {
        const i = Math.floor((n * questions.length) / 100);
        const dense = { index, embedText: async () => asked.slice(i * dimension, (i + 1) * dimension) };
        const before = process.cpuUsage();
        const fromMs = performance.now();
        await search({ store, dense, nowMs: () => performance.now(), log }, questions[i]!, 12, { within });
        times.push(performance.now() - fromMs);
        const { user, system } = process.cpuUsage(before);
        processorTimes.push((user + system) / 1000);
      }
      const median = (numbers: number[]): string => numbers.sort((a, b) => a - b)[50]!.toFixed(1);
      console.log(
        `whole search in ${name}: median ${median(times)} ms, of all processors ${median(processorTimes)} ms`,
      );
    }
    await index.close();
  }
  database.close();
}

const [profile, vectors] = process.argv.slice(2);
if (!profile || !vectors) throw new Error('which profile, and where are the vectors?');
await main(profile, vectors);
