import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../main/setup/build.mjs';
import { writeDocuments } from './documents.ts';
import { hasChatModel } from './models.ts';
import { chromium, type Page } from './playwright.ts';
import {
  askAndOpenCitation,
  askInACollection,
  findChatAgain,
  openLibrary,
  removeForGood,
  seeLibrary,
  stopAnAnswer,
  watchFaults,
} from './story.ts';

const root = path.resolve(import.meta.dirname, '../..');
const binary = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) =>
  existsSync(file),
);

describe.skipIf(!binary)('in a browser', () => {
  let folder = '';
  let browser: Browser;
  let page: Page;
  let server: ChildProcess;
  let faults: string[] = [];

  /** Starts `quoth serve` and gives the address that it prints. */
  async function serve(): Promise<string> {
    const words = ['serve', '--json', '--profile', path.join(folder, 'profile')];
    server = spawn(process.execPath, [path.join(root, 'main/cli/quoth.mjs'), ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const piece of server.stdout!.setEncoding('utf8')) {
      const { address } = JSON.parse(String(piece).split('\n')[0] ?? '');
      return address as string;
    }
    throw new Error('quoth serve ended without an address.');
  }

  async function stopServing(): Promise<void> {
    if (!server || server.exitCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await ended;
  }

  async function open(address: string): Promise<void> {
    const context = await browser.newContext();
    page = await context.newPage();
    faults = watchFaults(page);
    await page.goto(address);
    await page.getByRole('textbox', { name: 'Your question' }).waitFor();
  }

  beforeAll(async () => {
    await build({ only: ['addon', 'main', 'renderer'] });
    folder = await mkdtemp(path.join(os.tmpdir(), 'quoth browser 山田 '));
    await writeDocuments(path.join(folder, 'documents'));
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    browser = await chromium.launch({ executablePath: binary, args: sandbox });
    await open(await serve());
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    await stopServing();
    await rm(folder, { recursive: true, force: true });
  });

  it('the token leaves the address at once, and a page without it gets nothing', async () => {
    expect(page.url()).not.toContain('token');
    const stranger = await (await browser.newContext()).newPage();
    await stranger.goto(new URL(page.url()).origin);
    await stranger.getByText(/full address/).waitFor();
  });

  it('a folder that is added is read, each document with its end', async () => {
    await openLibrary(page);
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Add folder' }).click();
    await (await chooser).setFiles(path.join(folder, 'documents'));
    await seeLibrary(page);
  });

  it('a question is answered with a citation that opens at its page', () => askAndOpenCitation(page), 120_000);

  it.skipIf(!hasChatModel())('an answer that is stopped keeps what it said', () => stopAnAnswer(page), 120_000);

  it('after a restart everything is there again', async () => {
    expect(faults).toEqual([]);
    await stopServing();
    await open(await serve());
    await seeLibrary(page);
    await findChatAgain(page);
    expect(faults).toEqual([]);
  }, 120_000);

  it('a collection is made by keyboard, and a question in it finds only what is in it', () => askInACollection(page));

  it('a document that is removed is gone: from the window, and from every file of the profile', async () => {
    const secret = path.join(folder, 'secret.txt');
    await writeFile(secret, 'Zyxwvutania is our secret, and nobody else knows where it lies.');
    await removeForGood(page, secret);
    const holders = async (): Promise<string[]> => {
      const profile = path.join(folder, 'profile');
      const entries = await readdir(profile, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
      const found = await Promise.all(
        files.map(async (file) => (/zyxwvutania/i.test(await readFile(file, 'latin1')) ? [file] : [])),
      );
      return found.flat();
    };
    await expect.poll(holders, { timeout: 30_000 }).toEqual([]);
    expect(faults).toEqual([]);
  }, 60_000);
});
