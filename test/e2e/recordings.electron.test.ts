/** A recording of the library in Electron's own window: its bytes come from the shell, by ranges, and from nowhere else. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../main/setup/build.mjs';
import { makeWav } from '../fakes/wav.ts';
import { canOpenDisplay, type Display, openDisplay } from './display.ts';
import { findElectron } from './electron-runtime.ts';
import { _electron, type ElectronApplication, type Page } from './playwright.ts';

const root = path.resolve(import.meta.dirname, '../..');
const electron = canOpenDisplay() ? findElectron() : { reason: 'there is no display and no Xvfb' };

describe.skipIf('reason' in electron)(`in Electron${'reason' in electron ? ` (${electron.reason})` : ''}`, () => {
  let folder = '';
  let display: Display;
  let app: ElectronApplication;
  let page: Page;
  let ids: Record<string, string> = {};

  beforeAll(async () => {
    await build();
    folder = await mkdtemp(path.join(os.tmpdir(), 'quoth 山田 太郎 '));
    const documents = path.join(folder, 'documents');
    await mkdir(documents);
    await writeFile(path.join(documents, 'talk é.wav'), makeWav(60));
    await writeFile(path.join(documents, 'notes.txt'), 'Notes of the meeting, which nobody may play.');
    const profile = `--profile=${path.join(folder, 'profile')}`;
    // Without a speech model: a recording is one all the same.
    const env = { ...process.env, QUOTH_MODELS: path.join(folder, 'models') };
    const quoth = (...words: string[]): string => {
      try {
        return execFileSync(process.execPath, [path.join(root, 'main/cli/quoth.mjs'), ...words, '--json', profile], {
          env,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
      } catch (error) {
        return (error as { stdout: string }).stdout; // a document that could not be read is its exit code
      }
    };
    quoth('add', documents);
    const listed = JSON.parse(quoth('list')) as { documents: { documentId: string; source: string }[] };
    ids = Object.fromEntries(listed.documents.map(({ documentId, source }) => [path.extname(source), documentId]));
    expect(Object.keys(ids).sort()).toEqual(['.txt', '.wav']);
    display = await openDisplay();
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const options = {
      executablePath: 'binary' in electron ? electron.binary : undefined,
      args: [...sandbox, '--disable-gpu', '--autoplay-policy=no-user-gesture-required', root, profile],
      env: { ...(env as Record<string, string>), DISPLAY: display.name },
      timeout: 30_000,
    };
    app = await _electron
      .launch(options)
      .catch(() => _electron.launch(options))
      .catch(() => _electron.launch(options));
    page = await app.firstWindow();
    await page.getByRole('button', { name: 'Library' }).first().waitFor();
  }, 600_000);
  afterAll(async () => {
    await app?.close();
    display?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Loads an address into a player of the page: the second it stands at after a jump, or its fault. */
  const play = (address: string, toSeconds: number) =>
    page.evaluate(
      ([src, seconds]) =>
        new Promise<{ total: number; at: number } | string>((resolve) => {
          const video = document.createElement('video');
          video.muted = true;
          video.onerror = () => resolve(`fault ${video.error?.code}`);
          video.onloadedmetadata = () => {
            video.currentTime = seconds;
            void video.play();
          };
          video.ontimeupdate = () => {
            if (video.currentTime > seconds) resolve({ total: video.duration, at: video.currentTime });
          };
          video.src = src;
        }),
      [address, toSeconds] as const,
    );

  it('is played from any second', async () => {
    const address = await page.evaluate((id) => window.quothShell!.recordingAddress(id as never), ids['.wav']!);
    expect(address).toBe(`app://quoth/recordings/${ids['.wav']}`);
    const played = await play(address, 45);
    expect(played).toMatchObject({ total: 60 });
    expect((played as { at: number }).at).toBeGreaterThan(45);
    expect((played as { at: number }).at).toBeLessThan(47);
  });

  it('comes in ranges, and nothing else of the library or the disk does', async () => {
    const ask = (address: string, range?: string) =>
      page.evaluate(
        async ([target, wanted]) => {
          const response = await fetch(target!, wanted ? { headers: { range: wanted } } : {});
          return {
            status: response.status,
            range: response.headers.get('content-range'),
            numBytes: (await response.arrayBuffer()).byteLength,
          };
        },
        [address, range] as const,
      );
    const address = `app://quoth/recordings/${ids['.wav']}`;
    expect(await ask(address, 'bytes=0-43')).toEqual({ status: 206, range: 'bytes 0-43/480044', numBytes: 44 });
    expect(await ask(address, 'bytes=480044-')).toMatchObject({ status: 416, numBytes: 0 });
    expect(await ask(address, 'bytes=junk')).toMatchObject({ status: 200, numBytes: 480_044 });
    for (const other of [ids['.txt'], 'doc_nothing', '..%2f..%2fetc%2fpasswd', 'x'.repeat(200)])
      expect(await ask(`app://quoth/recordings/${other}`)).toMatchObject({ status: 404 });
    expect(await play(`app://quoth/recordings/${ids['.txt']}`, 0)).toBe('fault 4');
  });
});
