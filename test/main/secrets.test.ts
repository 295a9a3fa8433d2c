import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWindowKeychain } from '../../main/electron/window-keychain.ts';
import { createSecrets, type Keychain } from '../../main/secrets.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'quoth keys 山田 '));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const file = () => path.join(folder, 'keys.json');
const secret = 'sk-a-canary';
/** Turns texts around: enough to see that what lies in the file has been through it. */
const turned = (text: string): string => [...text].reverse().join('');
const keychain: Keychain = {
  isThere: async () => true,
  encrypt: async (text) => turned(text),
  decrypt: async (text) => turned(text),
};

describe('the keys of servers', () => {
  it('are kept in a file of this user alone where there is no keychain, and it says so', async () => {
    const secrets = createSecrets(folder, null);
    expect(await secrets.protection()).toBe('file');
    expect(await secrets.read('remote/1')).toBeNull();
    await secrets.write('remote/1', secret);
    expect(await createSecrets(folder, null).read('remote/1')).toBe(secret);
    if (process.platform !== 'win32') expect((await stat(file())).mode & 0o777).toBe(0o600);
  });

  it('are encrypted where there is one', async () => {
    const secrets = createSecrets(folder, keychain);
    expect(await secrets.protection()).toBe('system');
    await secrets.write('remote/1', secret);
    expect(await secrets.read('remote/1')).toBe(secret);
    expect(await readFile(file(), 'utf8')).not.toContain(secret);
  });

  it('are asked for again where the keychain that encrypted them is gone', async () => {
    await createSecrets(folder, keychain).write('remote/1', secret);
    expect(await createSecrets(folder, null).read('remote/1')).toBeNull();
    expect(await createSecrets(folder, { ...keychain, decrypt: async () => null }).read('remote/1')).toBeNull();
  });

  it('leave the file when they are removed, the others stay', async () => {
    const secrets = createSecrets(folder, null);
    await Promise.all([secrets.write('a', 'first'), secrets.write('b', 'second'), secrets.write('c', 'third')]);
    await secrets.write('b', null);
    expect(JSON.parse(await readFile(file(), 'utf8'))).toEqual({ a: { plain: 'first' }, c: { plain: 'third' } });
  });

  it('are none where the file is damaged', async () => {
    await writeFile(file(), '{"a":{"plain":5}}');
    const secrets = createSecrets(folder, null);
    expect(await secrets.read('a')).toBeNull();
    await secrets.write('a', secret);
    expect(await secrets.read('a')).toBe(secret);
  });

  it("go to the window's keychain by message, each answer to its question", async () => {
    const asked: { id: number; ask: string; text: string }[] = [];
    const window = createWindowKeychain((message) => {
      if (message.type === 'keychain') asked.push(message);
    });
    const both = Promise.all([window.keychain.encrypt('one'), window.keychain.isThere()]);
    expect(asked.map(({ ask, text }) => [ask, text])).toEqual([
      ['encrypt', 'one'],
      ['is-there', ''],
    ]);
    window.receive({ type: 'kept', id: asked[1]!.id, text: null });
    window.receive({ type: 'kept', id: asked[0]!.id, text: 'sealed' });
    expect(await both).toEqual(['sealed', false]);
  });
});
