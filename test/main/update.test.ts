/** Updates, with an updater of cardboard: what is asked when, and what is never run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { askForUpdate } from '../../main/electron/ask-for-update.ts';
import { createUpdates, readFeed, type UpdateOutside, type Updater } from '../../main/electron/update.ts';
import { updateTexts } from '../../main/electron/update-texts.ts';
import { releaseOptions } from '../../main/setup/package/package.mjs';

type Calls = string[];

function fakeUpdater(calls: Calls, does: { newest?: string; check?: Error; download?: Error } = {}): Updater {
  return {
    autoDownload: true,
    autoInstallOnAppQuit: true,
    allowDowngrade: true,
    async checkForUpdates() {
      calls.push('check');
      if (does.check) throw does.check;
      return { isUpdateAvailable: does.newest !== undefined, updateInfo: { version: does.newest ?? '0.1.0' } };
    },
    async downloadUpdate() {
      calls.push('download');
      if (does.download) throw does.download;
    },
    quitAndInstall: () => void calls.push('install'),
  };
}

function openUpdates(does: Parameters<typeof fakeUpdater>[1] = {}, outside: Partial<UpdateOutside> = {}) {
  const calls: Calls = [];
  const updater = fakeUpdater(calls, does);
  const updates = createUpdates({
    feed: { host: 'updates.example', publisher: 'Quoth' },
    platform: 'win32',
    loadUpdater: async () => {
      calls.push('load');
      return updater;
    },
    mayCheckAlone: () => false,
    isOffline: () => false,
    around: (host, work) => {
      calls.push(`connect ${host}`);
      return work();
    },
    ...outside,
  });
  return { updates, calls, updater };
}

describe('Updates', () => {
  it('ask nobody by themselves unless the settings allow it', async () => {
    const { updates, calls } = openUpdates({ newest: '0.2.0' });
    await updates.check('settings');
    expect(calls).toEqual([]);
    const allowed = openUpdates({ newest: '0.2.0' }, { mayCheckAlone: () => true });
    expect(await allowed.updates.check('settings')).toMatchObject({ type: 'available', version: '0.2.0' });
    expect(allowed.calls).toEqual(['load', 'connect updates.example', 'check']);
  });

  it('fetch nothing and install nothing until each is asked for', async () => {
    const { updates, calls, updater } = openUpdates({ newest: '0.2.0' });
    updates.install();
    await updates.download();
    expect(calls).toEqual([]);
    await updates.check('person');
    expect(updater).toMatchObject({ autoDownload: false, autoInstallOnAppQuit: false, allowDowngrade: false });
    expect(calls).not.toContain('download');
    expect(await updates.download()).toEqual({ type: 'ready', version: '0.2.0' });
    expect(calls).not.toContain('install');
    updates.install();
    await Promise.resolve();
    await Promise.resolve();
    expect(calls.at(-1)).toBe('install');
  });

  it('are one question when two ask at once', async () => {
    const { updates, calls } = openUpdates();
    const [first, second] = await Promise.all([updates.check('person'), updates.check('person')]);
    expect(first).toEqual({ type: 'current' });
    expect(second).toEqual(first);
    expect(calls.filter((call) => call === 'check')).toHaveLength(1);
  });

  it('send nothing while Quoth is to stay offline', async () => {
    const { updates, calls } = openUpdates({}, { isOffline: () => true });
    expect(await updates.check('person')).toMatchObject({ type: 'failed', reason: 'offline' });
    expect(calls).toEqual([]);
  });

  it.each([
    ['linux', 'Quoth'],
    ['darwin', 'Quoth'],
    ['win32', null],
  ] as const)('run nothing that cannot be checked: %s, signed by %s', async (platform, publisher) => {
    const { updates, calls } = openUpdates({ newest: '0.2.0' }, { platform, feed: { host: 'a.example', publisher } });
    expect(await updates.check('person')).toEqual({ type: 'available', version: '0.2.0', canInstall: false });
    await updates.download();
    updates.install();
    expect(calls).not.toContain('download');
    expect(calls).not.toContain('install');
  });

  it.each([
    [
      Object.assign(new Error('New version 0.2.0 is not signed by the application owner'), {
        code: 'ERR_UPDATER_INVALID_SIGNATURE',
      }),
      'signature',
    ],
    [new Error('sha512 checksum mismatch, expected a, got b'), 'signature'],
    [new Error('net::ERR_INTERNET_DISCONNECTED'), 'unreachable'],
    [new Error('Cannot parse update info'), 'other'],
  ])('that fail with “%s” say why and can be asked for again', async (error, reason) => {
    const { updates } = openUpdates({ newest: '0.2.0', download: error });
    await updates.check('person');
    expect(await updates.download()).toMatchObject({ type: 'failed', reason });
    expect(await updates.check('person')).toMatchObject({ type: 'available' });
  });
});

describe('The talk about an update', () => {
  const texts = updateTexts(['en-GB']);
  const talk = async (
    does: Parameters<typeof fakeUpdater>[1],
    answers: number[],
    outside: Partial<UpdateOutside> = {},
  ) => {
    const { updates, calls } = openUpdates(does, outside);
    const said: string[] = [];
    await askForUpdate(updates, texts, async ({ message, detail }) => {
      said.push(`${message} ${detail}`.trim());
      return answers.shift() ?? 99;
    });
    await Promise.resolve();
    return { said, calls };
  };

  it('goes as far as the person says yes', async () => {
    expect((await talk({ newest: '0.2.0' }, [0, 0])).calls.slice(-3)).toEqual([
      'connect updates.example',
      'download',
      'install',
    ]);
    expect((await talk({ newest: '0.2.0' }, [0, 1])).calls.at(-1)).toBe('download');
    expect((await talk({ newest: '0.2.0' }, [1])).calls.at(-1)).toBe('check');
  });

  it('says what is so in one sentence', async () => {
    expect((await talk({}, [])).said).toEqual(['You have the newest version of Quoth.']);
    expect((await talk({ newest: '0.2.0' }, [], { platform: 'linux' })).said[0]).toMatch(/does not replace itself/);
    expect((await talk({ check: new Error('net::ERR_NAME_NOT_RESOLVED') }, [])).said[0]).toMatch(/does not answer/);
    const bad = await talk({ newest: '0.2.0', download: new Error('x is not signed by the application owner') }, [0]);
    expect(bad.said.at(-1)).toMatch(/thrown away/);
    expect(bad.calls).not.toContain('install');
  });

  it('is in the person’s language', () => {
    expect(updateTexts(['de', 'ja-JP']).later).toBe('あとで');
    expect(updateTexts(['xx']).later).toBe('Later');
  });
});

describe('The place where updates are', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quoth feed '));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const feedOf = (words: string) => {
    writeFileSync(path.join(folder, 'app-update.yml'), words);
    return readFeed(path.join(folder, 'app-update.yml'));
  };

  it('is what the packer wrote, https and nothing else', () => {
    expect(readFeed(path.join(folder, 'none.yml'))).toBeNull();
    expect(feedOf('provider: generic\nurl: https://get.example/quoth\nupdaterCacheDirName: quoth-updater\n')).toEqual({
      host: 'get.example',
      publisher: null,
    });
    expect(feedOf('url: https://get.example\npublisherName:\n  - A Maker, Inc.\n')?.publisher).toBe('A Maker, Inc.');
    expect(feedOf('url: http://get.example\n')).toBeNull();
    expect(feedOf('nothing')).toBeNull();
  });

  it('goes into a Windows build only with a signature that can be checked', () => {
    expect(releaseOptions({}, 'win')).toMatchObject({
      isSigned: false,
      config: { publish: null, forceCodeSigning: false },
    });
    const feed = { QUOTH_UPDATE_FEED: 'https://get.example' };
    expect(() => releaseOptions(feed, 'win')).toThrow(/WIN_CSC_LINK/);
    expect(() => releaseOptions({ QUOTH_UPDATE_FEED: 'http://get.example' }, 'linux')).toThrow(/https/);
    expect(releaseOptions({ ...feed, WIN_CSC_LINK: 'file.pfx', QUOTH_PUBLISHER: 'A Maker' }, 'win')).toMatchObject({
      isSigned: true,
      config: {
        forceCodeSigning: true,
        publish: [{ provider: 'generic', url: 'https://get.example' }],
        win: { signtoolOptions: { publisherName: ['A Maker'] } },
      },
    });
  });
});
