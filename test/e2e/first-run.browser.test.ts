/** A first start with nothing installed, in a real window over the real core: to an answer with its source, and a model of one's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, it, expect as say } from 'vitest';
import { build } from '../../main/setup/build.mjs';
import { writeTinyReranker } from '../fakes/tiny-reranker.ts';
import { chromium, expect, type Page } from './playwright.ts';
import { watchFaults } from './story.ts';

const root = path.resolve(import.meta.dirname, '../..');
const binary = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) =>
  existsSync(file),
);

describe.skipIf(!binary)('a first start', () => {
  let folder = '';
  let browser: Browser;
  let page: Page;
  let server: ChildProcess;
  let faults: string[] = [];
  let numClicks = 0;

  beforeAll(async () => {
    await build({ only: ['addon', 'main', 'renderer'] });
    folder = await mkdtemp(path.join(os.tmpdir(), 'quoth first 山田 '));
    await writeTinyReranker(path.join(folder, 'my ranker'));
    const words = ['serve', '--json', '--profile', path.join(folder, 'profile')];
    server = spawn(process.execPath, [path.join(root, 'main/cli/quoth.mjs'), ...words], {
      env: { ...process.env, QUOTH_MODELS: path.join(folder, 'models') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(server.stdout!.setEncoding('utf8'), 'data')) as [string];
    const { address } = JSON.parse(line) as { address: string };
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    browser = await chromium.launch({ executablePath: binary, args: sandbox });
    page = await (await browser.newContext({ locale: 'en' })).newPage();
    faults = watchFaults(page);
    await page.exposeFunction('countClick', () => numClicks++);
    await page.addInitScript('addEventListener("click", () => countClick(), true)');
    await page.goto(address);
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    const ended = server && once(server, 'exit');
    server?.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });

  it('says what this machine is, and leads to a cited answer within three clicks', async () => {
    await expect(page.getByText(/GB of memory: .+ (fits|runs)/)).toBeVisible();
    await page.getByRole('button', { name: 'Add the sample documents' }).click();
    const question = 'When is the rent due?';
    await page.getByRole('button', { name: question }).click({ timeout: 60_000 });
    const answer = page.getByRole('article', { name: question });
    await expect(answer).toHaveAttribute('aria-busy', 'false');
    await expect(answer.getByText(/third working day/).first()).toBeVisible();
    await expect(answer.getByRole('button', { name: /^Source 1: .*Lease.*p\. 1/ }).first()).toBeVisible();
    say(numClicks).toBeLessThanOrEqual(3);
    say(numClicks).toBeGreaterThan(0);
  }, 120_000);

  it('shows the source on its page', async () => {
    await page
      .getByRole('button', { name: /^Source 1: / })
      .first()
      .click();
    const reader = page.getByRole('complementary', { name: /^Reader: Lease/ });
    await expect(reader.locator('canvas').first()).toBeVisible();
    await page.keyboard.press('Escape');
  });

  it('is over after that, and comes back when it is asked for', async () => {
    await page.reload();
    await page.getByRole('textbox', { name: 'Your question' }).waitFor();
    await expect(page.getByText('Try it at once')).toBeHidden();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('tab', { name: 'This computer' }).click();
    await page.getByRole('button', { name: 'Show the first steps' }).click();
    await expect(page.getByText('Try it at once')).toBeVisible();
    await page.getByRole('button', { name: 'Skip' }).click();
  });

  it('can go on with a model of one’s own, built in the window and removed again', async () => {
    await page.getByRole('button', { name: 'Models', exact: true }).click();
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Choose a folder' }).click();
    await (await chooser).setFiles(path.join(folder, 'my ranker'));
    const model = page
      .getByRole('region', { name: 'Put passages in order' })
      .getByRole('article')
      .filter({ hasText: 'Your own' });
    await model.getByText('In use').waitFor({ timeout: 60_000 });
    await model.getByRole('button', { name: /^Remove/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await expect(model).toBeHidden();
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect(model.getByText('In use')).toBeVisible();
    say(faults).toEqual([]);
  }, 120_000);
});
