import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataFolder, defaultProfileFolder, modelsFolder } from '../../main/folders.ts';
import { createLogFile } from '../../main/log-file.ts';
import { packageAddress } from '../../main/package-address.ts';

describe('folders follow the customs of the system', () => {
  const linux = { platform: 'linux', environment: {}, home: '/home/山田 太郎' } as const;
  it('Linux', () => {
    expect(dataFolder(linux)).toBe('/home/山田 太郎/.local/share/quoth');
    expect(dataFolder({ ...linux, environment: { XDG_DATA_HOME: '/data' } })).toBe('/data/quoth');
    // The specification says that a relative path is to be ignored.
    expect(dataFolder({ ...linux, environment: { XDG_DATA_HOME: 'data' } })).toBe('/home/山田 太郎/.local/share/quoth');
    expect(defaultProfileFolder(linux)).toBe('/home/山田 太郎/.local/share/quoth/profile');
    expect(modelsFolder(linux)).toBe('/home/山田 太郎/.local/share/quoth/models');
  });
  it('Windows', () => {
    const windows = { platform: 'win32', environment: {}, home: 'C:\\Users\\山田 太郎' } as const;
    expect(modelsFolder(windows)).toBe('C:\\Users\\山田 太郎\\AppData\\Local\\Quoth\\models');
    const local = { ...windows, environment: { LOCALAPPDATA: 'D:\\Local' } };
    expect(defaultProfileFolder(local)).toBe('D:\\Local\\Quoth\\profile');
  });
  it('macOS', () => {
    const mac = { platform: 'darwin', environment: {}, home: '/Users/a' } as const;
    expect(dataFolder(mac)).toBe('/Users/a/Library/Application Support/Quoth');
  });
  it('models can be elsewhere', () => {
    expect(modelsFolder({ ...linux, environment: { QUOTH_MODELS: '/models' } })).toBe(path.resolve('/models'));
  });
});

describe('the log', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'quoth log 山田 '));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const read = (): Promise<string> => readFile(path.join(folder, 'quoth.log'), 'utf8');

  it('has one JSON object a line, and no secret or long text', async () => {
    const log = createLogFile(folder, () => 0);
    log('warn', 'a thing', {
      path: 'a\nb',
      token: 'canary-1',
      nested: { password: 'canary-2' },
      text: 'x'.repeat(5_000),
    });
    log('error', 'a fault', { error: new Error('outer', { cause: new Error('inner') }) });
    const [first, second] = (await read())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first).toMatchObject({ time: '1970-01-01T00:00:00.000Z', level: 'warn', message: 'a thing', path: 'a\nb' });
    expect(first.text.length).toBeLessThan(400);
    expect(second.error).toMatchObject({ message: 'outer', cause: { message: 'inner' } });
    expect(await read()).not.toContain('canary');
  });

  it('is turned over before it grows large', async () => {
    const log = createLogFile(folder, () => 0);
    for (let line = 0; line < 9_000; line += 1) log('info', `line ${line}`, { text: 'x'.repeat(250) });
    expect((await stat(path.join(folder, 'quoth.log'))).size).toBeLessThan(2_100_000);
    expect((await stat(path.join(folder, 'quoth.old.log'))).size).toBeLessThan(2_100_000);
    expect(await read()).toContain('line 8999');
  });

  it('that cannot be written stops nothing', () => {
    const log = createLogFile(path.join(folder, 'quoth.log', 'no folder'), () => 0);
    expect(() => log('info', 'a thing')).not.toThrow();
  });
});

describe('a package’s address', () => {
  it.each([
    ['x; touch /tmp/pwned', '1.0.0'],
    ['x', '1.0.0 && calc'],
    ['x', '$(id)'],
    ['--registry=http://evil.example', '1.0.0'],
    ['../x', '1.0.0'],
    ['', '1.0.0'],
    ['x', 'latest'],
  ])('is not asked for %j at %j', async (name, version) => {
    expect(await packageAddress(name, version)).toBeNull();
  });
});
