/** Recordings take minutes to hear: what that costs others, and how far it is. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AddEvent } from '../../../app/contract/contract.ts';
import type { Ticket } from '../../../app/contract/types.ts';
import type { ReadResult } from '../../../ingest/source.ts';
import { all, createScene, type Scene } from '../outside.ts';

describe('while a recording is heard', () => {
  let scene: Scene;
  /** Ends of the recordings that are being heard, and how they tell how far they are. */
  let hearing: { name: string; end: () => void; progress: (done: number) => void; signal: AbortSignal }[];

  beforeEach(async () => {
    hearing = [];
    const readText = (await createScene()).outside.readFile;
    scene = await createScene({
      readFile: (source, options) => {
        if (!source.name.endsWith('.mp3')) return readText(source, options);
        return new Promise((resolve) => {
          const read: ReadResult = {
            ...{ type: 'read', kind: 'recording', title: source.name, numPages: null },
            sections: [
              {
                text: `Said in ${source.name}.`,
                locator: { type: 'time', startSeconds: 3, endSeconds: 5 },
                heading: null,
              },
            ],
          };
          const stopped: ReadResult = { type: 'failed', kind: 'recording', reason: 'crashed', detail: 'stopped' };
          options.signal.addEventListener('abort', () => resolve(stopped), { once: true });
          hearing.push({
            name: source.name,
            end: () => resolve(read),
            progress: (done) => options.onProgress?.(done),
            signal: options.signal,
          });
        });
      },
    });
  });
  afterEach(() => scene.remove());

  const fileWith = async (name: string): Promise<Ticket> => {
    const path = join(scene.files, name);
    await writeFile(path, name.endsWith('.mp3') ? `ID3 ${name}` : `These are the words of ${name}.`);
    return scene.ticket(path) as Ticket;
  };
  const untilHearing = (count: number) => expect.poll(() => hearing.length, { timeout: 10_000 }).toBe(count);

  it('documents are read and recordings wait for one another, however many there are', async () => {
    const { client } = await scene.open();
    const names = ['a.mp3', 'b.mp3', 'c.mp3', 'd.mp3', 'e.txt', 'f.txt'];
    const tickets = await Promise.all(names.map(fileWith));
    const ended: string[] = [];
    const adding = (async () => {
      for await (const event of client.addFiles({ tickets }) as AsyncIterable<AddEvent>)
        if (event.type === 'document') ended.push(`${event.document.source} ${event.document.state}`);
    })();
    await expect.poll(() => ended.toSorted(), { timeout: 10_000 }).toEqual(['e.txt ready', 'f.txt ready']);
    expect(hearing).toHaveLength(1);
    for (let count = 1; count <= 4; count++) {
      await untilHearing(count);
      hearing[count - 1]!.end();
    }
    await adding;
    expect(ended).toHaveLength(6);
    const { passages } = await client.search({ question: 'said in c.mp3', limit: 5 });
    expect(passages[0]).toMatchObject({ place: { startSeconds: 3 } });
  });

  it('tells how far it is, and its removal stops it at once', async () => {
    const { client } = await scene.open();
    const adding = all(client.addFiles({ tickets: [await fileWith('long.mp3')] }));
    await untilHearing(1);
    const now = async () => {
      for await (const event of client.watchLibrary({})) if (event.type === 'reset') return event.documents[0]!;
      throw new Error('the library ended');
    };
    hearing[0]!.progress(0.25);
    await expect.poll(async () => (await now()).progress, { timeout: 10_000 }).toBe(0.25);
    expect(hearing[0]!.signal.aborted).toBe(false);
    await all(client.removeDocuments({ documentIds: [(await now()).id] }));
    expect(hearing[0]!.signal.aborted).toBe(true);
    await adding;
  });
});
