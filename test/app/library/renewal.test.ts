import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { renewOutdated } from '../../../app/library/renewal.ts';
import { readerVersions } from '../../../ingest/reader-versions.ts';
import type { ReadResult } from '../../../ingest/source.ts';
import { all, createScene, type Scene } from '../outside.ts';

let scene: Scene;
/** What the reader finds in a file, sentence by sentence; null for one that it can read no more. */
let said: string[] | null;
let numRead = 0;

const read = async (): Promise<ReadResult> => {
  numRead += 1;
  if (said === null) return { type: 'failed', kind: 'text', reason: 'damaged', detail: 'It is broken.' };
  const sections = said.map((text, at) => ({
    text: `${text} ${'And so on and so forth. '.repeat(30)}`,
    locator: { type: 'page' as const, page: at + 1 },
    heading: null,
  }));
  return { type: 'read', kind: 'text', title: 'Contract', numPages: said.length, sections };
};

beforeEach(async () => {
  scene = await createScene({ readFile: read });
  said = ['The lease ends in May.', 'The rent is 900.'];
  numRead = 0;
});
afterEach(() => scene.remove());

/** As if all that is in the library had been read by an older reader. */
function age(): void {
  const sqlite = new Sqlite(join(scene.outside.profileFolder, 'quoth.db'));
  sqlite.exec('UPDATE documents SET reader_version = 0');
  sqlite.close();
}

function versions(): unknown[] {
  const sqlite = new Sqlite(join(scene.outside.profileFolder, 'quoth.db'), { readonly: true });
  try {
    return sqlite.prepare('SELECT reader_version FROM documents').pluck().all();
  } finally {
    sqlite.close();
  }
}

async function addContract() {
  const path = join(scene.files, 'contract.txt');
  await writeFile(path, 'any bytes');
  const { app, client } = await scene.open();
  await all(client.addFiles({ tickets: [scene.ticket(path)] }));
  await app.close();
  return path;
}

describe('what an older reader has read', () => {
  it('is read again after the start, and never leaves the library meanwhile', async () => {
    await addContract();
    expect(numRead).toBe(1);
    age();
    said = ['7.2 The lease ends in May.', 'The rent is 900.'];
    const { app, client } = await scene.open({ renewalPauseMs: 1 });
    const states = new Set<string>();
    const [document] = app.library.list();
    await vi.waitFor(async () => {
      states.add(app.library.list()[0]!.state);
      const { passages } = await client.readDocument({ documentId: document!.id, fromPassage: 0, numPassages: 10 });
      expect(passages[0]!.text).toContain('7.2 The lease');
    });
    expect([...states]).toEqual(['ready']);
    expect(numRead).toBe(2);
    await app.close();
    expect(versions()).toEqual([readerVersions.text]);
  });

  it('stays as it is where the new reader fails, and is not tried at every start', async () => {
    await addContract();
    age();
    said = null;
    const { app, client } = await scene.open({ renewalPauseMs: 1 });
    await vi.waitFor(() => expect(scene.logged.some((line) => line.includes('stays as it was read'))).toBe(true));
    await app.library.idle();
    const [document] = app.library.list();
    expect(document).toMatchObject({ state: 'ready', reason: null });
    const { passages } = await client.readDocument({ documentId: document!.id, fromPassage: 0, numPassages: 10 });
    expect(passages[0]!.text).toContain('The lease ends');
    expect(numRead).toBe(2);
    await app.close();
    expect(versions()).toEqual([readerVersions.text]);
  });

  it('is left to those who look for changes when the file is another by now', async () => {
    const path = await addContract();
    age();
    await writeFile(path, 'other bytes, and more of them');
    const { app } = await scene.open({ renewalPauseMs: 1 });
    await vi.waitFor(() => expect(scene.logged.some((line) => line.includes('newer reader'))).toBe(true));
    await app.close();
    expect(numRead).toBe(1);
    expect(versions()).toEqual([0]);
  });

  it('is copied to no second file of the same bytes', async () => {
    await addContract();
    age();
    const copy = join(scene.files, 'copy.txt');
    await writeFile(copy, 'any bytes');
    const { client } = await scene.open({ resume: false });
    await all(client.addFiles({ tickets: [scene.ticket(copy)] }));
    expect(numRead).toBe(2);
  });

  it('waits while the computer is busy, and ends with the app', async () => {
    const looks = [true, true, false];
    const renewed: string[] = [];
    const controller = new AbortController();
    const parts = {
      documents: {
        listOutdated: () => ['a', 'b', 'c'] as never[],
        find: (id: string) => ({ id, state: id === 'b' ? 'failed' : 'ready', location: id }) as never,
      },
      renew: async (id: string) => {
        renewed.push(`${id}, ${looks.length} looks left`);
        if (id === 'c') controller.abort();
        return {} as never;
      },
      isPaused: () => false,
      isBusy: () => looks.shift() ?? false,
      signal: controller.signal,
      log: () => {},
      pauseMs: 1,
    };
    // The pauses keep no process alive, nor do they this one.
    const alive = setInterval(() => {}, 1000);
    await renewOutdated(parts);
    clearInterval(alive);
    expect(renewed).toEqual(['a, 0 looks left', 'c, 0 looks left']);
  });
});
