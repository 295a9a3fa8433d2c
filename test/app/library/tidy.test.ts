import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTidy } from '../../../app/library/tidy.ts';
import { all, createScene, type Scene } from '../outside.ts';

describe('tidying up', () => {
  const never = new AbortController().signal;
  const log = () => {};

  it('goes on in slices until all is done, and again when it is woken meanwhile', async () => {
    let left = 3;
    let numDone = 0;
    const work = (): boolean => {
      left -= 1;
      if (left > 0) return false;
      numDone += 1;
      if (numDone === 1) tidy.wake();
      return true;
    };
    const tidy = createTidy({ work, isBusy: () => false, signal: never, log });
    tidy.wake();
    await tidy.idle();
    expect(numDone).toBe(2);
  });

  it('waits while the person waits for something', async () => {
    const order: string[] = [];
    const busy = [true, true, false];
    const tidy = createTidy({
      work: () => order.push('work') > 0,
      isBusy: () => {
        order.push('look');
        return busy.shift() ?? false;
      },
      signal: never,
      log,
    });
    tidy.wake();
    await tidy.idle();
    expect(order).toEqual(['look', 'look', 'look', 'work']);
  });

  it('ends with the app, and leaves a fault in the log', async () => {
    const controller = new AbortController();
    const messages: string[] = [];
    const parts = { isBusy: () => true, log: (_level: string, message: string) => messages.push(message) };
    const tidy = createTidy({ ...parts, work: () => true, signal: controller.signal });
    tidy.wake();
    controller.abort();
    await tidy.idle();
    expect(messages).toEqual([]);
    const failing = createTidy({
      ...parts,
      isBusy: () => false,
      signal: never,
      work: () => {
        throw new Error('the disk is full');
      },
    });
    failing.wake();
    await failing.idle();
    expect(messages).toHaveLength(1);
  });
});

describe('a removed document', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await createScene();
  });
  afterEach(() => scene.remove());

  /** Whether the database or its log has the word somewhere among its bytes. */
  async function holds(word: string): Promise<boolean> {
    const folder = scene.outside.profileFolder;
    const names = (await readdir(folder)).filter((name) => name.startsWith('quoth.db'));
    const files = await Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')));
    return files.join('').toLowerCase().includes(word);
  }

  it('leaves no word behind in the profile once the app is idle, while it is open', async () => {
    const { app, client } = await scene.open();
    const tickets: never[] = [];
    for (const [name, text] of [
      ['secret.txt', 'Zyxwvutania is our secret.'],
      ['plain.txt', 'The bridge opened in 1937.'],
    ] as const) {
      await writeFile(join(scene.files, name), text);
      tickets.push(scene.ticket(join(scene.files, name)) as never);
    }
    await all(client.addFiles({ tickets }));
    await app.idle();
    expect(await holds('zyxwvutania')).toBe(true);
    const secret = app.library.list().find(({ source }) => source === 'secret.txt')!;
    await client.removeDocument({ documentId: secret.id });
    await app.idle();
    expect(await holds('zyxwvutania')).toBe(false);
    expect((await client.search({ question: 'bridge', limit: 5 })).passages).toHaveLength(1);
  });
});
