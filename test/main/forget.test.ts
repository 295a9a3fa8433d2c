import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { finishWipe } from '../../app/store/wipe.ts';
import { type Core, compose } from '../../main/compose.ts';

const canary = 'Zwickelbärenfang';
const never = new AbortController().signal;

/** Every file below a folder whose name or bytes hold the words, whole or in the word index's pieces. */
async function findIn(folder: string, words: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const name = path.join(entry.parentPath, entry.name);
    const bytes = entry.isFile() ? await readFile(name) : Buffer.alloc(0);
    const isThere = [words, words.toLowerCase(), 'zwickelbarenfang', 'zwickelb'].some(
      (one) => bytes.includes(one) || entry.name.includes(one),
    );
    if (isThere) found.push(name);
  }
  return found;
}

describe('forgetting everything', () => {
  let root = '';
  let profile = '';
  let core: Core;
  let numForgotten = 0;
  const openCore = async (): Promise<void> => {
    core = await compose({
      profileFolder: profile,
      modelsFolder: path.join(root, 'models'),
      resume: true,
      onForgotten: () => numForgotten++,
    });
  };
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'quoth 山田 太郎 '));
    profile = path.join(root, 'profile');
    numForgotten = 0;
    await openCore();
  });
  afterEach(async () => {
    await core.close();
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  });

  async function fill(): Promise<void> {
    const file = path.join(root, `${canary}.txt`);
    const lines = Array.from({ length: 300 }, (_, n) => `The ${canary} number ${n} was opened in ${1700 + n}.`);
    await writeFile(file, lines.join('\n\n'));
    for await (const _ of core.app.library.addPaths([file], never)) {
      // Until all of it is read.
    }
    for await (const _ of core.handlers.ask({ question: `What is the ${canary}?`, chatId: null }, never)) {
      // Until it is answered.
    }
    await core.handlers.changeSettings({ systemPrompt: `I like the ${canary}.`, theme: 'dark' }, never);
  }

  it('leaves nothing of documents, chats and settings on the disk, and a Quoth that works as a new one', async () => {
    await fill();
    expect(await findIn(profile, canary)).not.toEqual([]);
    expect(await core.handlers.forgetEverything({ modelsToo: false }, never)).toEqual({});
    expect(await findIn(profile, canary)).toEqual([]);
    expect(numForgotten).toBe(1);
    expect(core.app.library.list()).toEqual([]);
    expect((await core.handlers.listChats({}, never)).chats).toEqual([]);
    expect(await core.handlers.readSettings({}, never)).toMatchObject({ theme: 'system', systemPrompt: '' });
    await fill();
    expect(core.app.library.list()).toHaveLength(1);
  });

  it('works while documents are read, a question is answered and a job runs', async () => {
    await fill();
    const file = path.join(root, `more ${canary}.txt`);
    await writeFile(file, `Another ${canary}.\n\n`.repeat(20_000));
    const adding = (async () => {
      for await (const _ of core.handlers.addFiles({ tickets: [core.tickets.issue(file) as never] }, never)) {
        // Until it ends, however it ends.
      }
    })().catch(() => undefined);
    const scope = { type: 'library' } as const;
    await core.handlers.startJob({ task: { type: 'mentions', words: canary, scope }, chatId: null }, never);
    const asking = (async () => {
      for await (const _ of core.handlers.ask({ question: `Which ${canary} was first?`, chatId: null }, never)) {
        // Until it ends, however it ends.
      }
    })().catch(() => undefined);
    await core.handlers.forgetEverything({ modelsToo: true }, never);
    await Promise.all([adding, asking]);
    expect(await findIn(profile, canary)).toEqual([]);
    expect((await core.handlers.listChats({}, never)).chats).toEqual([]);
  });

  it('an end of the process in between only delays it', async () => {
    await fill();
    await core.close();
    await writeFile(path.join(profile, 'quoth.forgetting'), '');
    await openCore();
    expect(await findIn(profile, canary)).toEqual([]);
    expect(core.app.library.list()).toEqual([]);
  });

  it('takes nothing that is not Quoth’s, though it lies in the profile’s folder', async () => {
    const foreign = path.join(profile, 'letters.txt');
    await writeFile(foreign, canary);
    await core.handlers.forgetEverything({ modelsToo: false }, never);
    await finishWipe(profile);
    expect(await readFile(foreign, 'utf8')).toBe(canary);
  });
});
