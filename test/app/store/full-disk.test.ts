import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openPassageIndex } from '../../../ingest/passage-index.ts';
import { embedAllByHash, embedByHash } from '../../ingest/hashing-embedder.ts';
import { openAddon } from '../../native/open-addon.ts';
import { chunksOf, createProfile, facts, fileSource, openStore } from './profile.ts';

/** A disk of its own, of a few kilobytes; null where that is not allowed (it takes Linux and root). */
function mountSmallDisk(sizeBytes: number): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null;
  const folder = createProfile();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder]);
  if (mounted.status !== 0) return null;
  onTestFinished(() => void spawnSync('umount', [folder]));
  return folder;
}

const canMount = (() => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const folder = fs.mkdtempSync('/tmp/quoth-mount-');
  const works = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=65536', 'tmpfs', folder]).status === 0;
  if (works) spawnSync('umount', [folder]);
  fs.rmdirSync(folder);
  return works;
})();

describe.skipIf(!canMount)('a full disk', () => {
  // Filled up to another place each time, so that another write is the one that fails.
  test.each(Array.from({ length: 16 }, (_, i) => i))(
    'filled up to step %i: a clear message, nothing lost, and it goes on after',
    async (step) => {
      const profile = mountSmallDisk(1_500_000)!;
      const store = openStore(profile);
      const index = await openPassageIndex({
        native: openAddon(),
        store: store.passages,
        folder: path.join(profile, 'index'),
        embedderId: 'hash',
        dimension: 64,
        log: () => {},
      });
      onTestFinished(() => index.close());
      const filler = path.join(profile, 'filler');
      fs.writeFileSync(filler, Buffer.alloc(500_000 + step * 13_000));

      const acknowledged: { texts: string[]; addedIds: number[] }[] = [];
      const write = async (round: number) => {
        const texts = Array.from({ length: 60 }, (_, i) => `round${round} number${i} ${'word '.repeat(20)}`);
        const vectors = embedAllByHash(texts);
        const { id } = store.documents.insertQueued(fileSource(`${round}.txt`));
        const { addedIds } = store.passages.replacePassages(
          id,
          chunksOf(texts),
          { embedderId: 'hash', vectors },
          facts,
        );
        acknowledged.push({ texts, addedIds });
        await index.add(addedIds, vectors);
        store.chats.addTurn(store.chats.create(`chat ${round}`), 'a question');
      };
      let failure: unknown = null;
      for (let round = 0; round < 60 && !failure; round++)
        await write(round).catch((error: unknown) => {
          failure = error;
        });
      expect(failure).toMatchObject({ code: 'disk-full' });

      const expectAll = async () => {
        for (const { texts, addedIds } of acknowledged) {
          expect(store.passages.passages(addedIds).map(({ text }) => text)).toEqual(texts);
          expect((await index.search(embedByHash(texts[7]!), 1))[0]?.passageId).toBe(addedIds[7]);
        }
      };
      await expectAll();
      fs.rmSync(filler);
      await write(1000);
      await expectAll();
      await index.close();
      store.database.close();
      const reopened = openStore(profile);
      expect(reopened.database.sqlite.pragma('integrity_check', { simple: true })).toBe('ok');
      for (const { texts, addedIds } of acknowledged)
        expect(reopened.passages.passages(addedIds).map(({ text }) => text)).toEqual(texts);
    },
  );
});
