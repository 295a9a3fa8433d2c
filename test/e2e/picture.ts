/**
 * Takes README.md's picture of the running app: the real window in Chromium, the installed models, real filings.
 *
 *     npm run setup && node_modules/.bin/node test/e2e/picture.ts [question]       (needs ../shared/data and Chromium)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { root } from '../../main/setup/tools.mjs';

const question = process.argv[2] ?? 'When did Amazon acquire One Medical, and for how much?';
const documents = path.join(root, '../shared/data/qa/docugami-sec10q');
const profile = mkdtempSync(path.join(tmpdir(), 'quoth-picture-'));
const server = spawn(
  process.execPath,
  [path.join(root, 'main/cli/quoth.mjs'), 'serve', '--json', '--profile', profile],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
try {
  const [line] = (await once(server.stdout.setEncoding('utf8'), 'data')) as [string];
  const { address } = JSON.parse(line) as { address: string };
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 });
  await page.goto(address);
  await page.getByRole('button', { name: /^Library/ }).click();
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Add files' }).click();
  await (await chooser).setFiles(
    readdirSync(documents)
      .filter((name) => name.endsWith('.pdf'))
      .map((name) => path.join(documents, name)),
  );
  await page.getByRole('button', { name: /^Ready\s*3/ }).waitFor({ timeout: 120_000 });
  await page.getByRole('button', { name: 'New chat' }).click();
  await page.getByRole('textbox', { name: 'Your question' }).fill(question);
  await page.keyboard.press('Enter');
  const answer = page.getByRole('article', { name: question });
  await answer.and(page.locator('[aria-busy=false]')).waitFor({ timeout: 120_000 });
  await answer
    .getByRole('button', { name: /^Source 1/ })
    .first()
    .click();
  await page
    .getByRole('complementary', { name: /^Reader/ })
    .locator('canvas')
    .first()
    .waitFor();
  await page.evaluate(() => document.fonts.ready);
  await page.waitForLoadState('networkidle');
  await page.screenshot({ path: path.join(root, '.github', 'window.png') });
  await browser.close();
} finally {
  server.kill('SIGTERM');
  await once(server, 'exit');
  rmSync(profile, { recursive: true, force: true });
}
