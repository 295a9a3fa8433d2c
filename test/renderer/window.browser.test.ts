/** The built window in Chromium: the picture, and what the browser makes of it. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import type { ChatId } from '../../app/contract/types.ts';
import {
  createFakeApp,
  type FakeApp,
  makeAnswer,
  makeCitation,
  makeDocument,
  makeModel,
  makePassage,
  makeTurn,
  Tape,
} from '../fakes/app-handlers.ts';
import { collectPayloads, payloadFolder } from '../fakes/payloads.ts';
import { makePdf } from '../fakes/pdf.ts';
import { type BuiltWindow, chromiumPath, startBuiltWindow } from './built-window.ts';

const report = makeDocument(1, { title: 'Report', source: 'report.pdf', kind: 'pdf', numPages: 3 });
const quote = 'The harvest of 2024 was the best in forty years';

describe.skipIf(!chromiumPath)('the built window in Chromium', () => {
  let window: BuiltWindow;

  beforeAll(async () => {
    window = await startBuiltWindow();
  });
  afterAll(() => window?.close());
  afterEach(() => window?.closePage());

  /** The application that the next page talks to. */
  function useFakeApp(): FakeApp {
    window.app = createFakeApp();
    return window.app;
  }

  it('loads at most 600 kB, compressed, before it can be used', () => {
    const page = readFileSync(join(window.rendererFolder, 'index.html'), 'utf8');
    const files = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map((match) => match[1] ?? '');
    expect(files.length).toBeGreaterThanOrEqual(2);
    const sizeBytes = files.reduce(
      (sum, file) => sum + gzipSync(readFileSync(join(window.rendererFolder, file))).length,
      0,
    );
    expect(sizeBytes).toBeLessThan(600_000);
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/i);
  });

  it('hides its token, outlives a reload, and refuses a page without one', async () => {
    useFakeApp();
    const page = await window.open();
    expect(page.url()).toBe(`${window.origin}/`);
    await page.reload();
    await page.getByRole('heading', { name: 'Ask your own documents.' }).waitFor();
    const stranger = await (await window.browser.newContext()).newPage();
    await stranger.goto(page.url());
    await stranger.getByText('This page needs its full address').waitFor();
    await stranger.context().close();
    expect(window.violations).toEqual([]);
  });

  it('takes files that are chosen, by ticket', async () => {
    const app = useFakeApp();
    const page = await window.open();
    const choosing = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Add files' }).click();
    const names = ['a.txt', '山田 太郎 #1 %41.txt', "it's [b]&c.md", 'd.txt', 'e.txt', 'f.txt'];
    const files = names.map((name) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(`words of ${name}`) }));
    await (await choosing).setFiles(files);
    await page.getByRole('heading', { name: 'Library' }).waitFor();
    await expect.poll(() => app.added.length).toBe(1);
    expect(app.added[0]).toHaveLength(names.length);
    expect(window.ticketPaths.map((path) => basename(path)).sort()).toEqual([...names].sort());
    expect(window.violations).toEqual([]);
  });

  it('draws the page of a citation and marks the quote where it stands', async () => {
    const app = useFakeApp();
    app.setDocument(report);
    app.originals.set(
      report.id,
      makePdf([
        ['Nothing here.'],
        ['First some other words.', 'The harvest of 2024 was the best in', 'forty years of records.'],
        ['The end.'],
      ]),
    );
    const passage = makePassage(1, report, `${quote} of records.`, { page: 2 });
    app.texts.set(report.id, [passage]);
    const tape = new Tape<AskEvent>();
    tape.push({ type: 'answer', answer: makeAnswer('It was good [1].', [makeCitation(1, passage, quote)]) });
    tape.end();
    app.script.answers.push(tape);
    const page = await window.open();
    await page.getByRole('textbox', { name: 'Your question' }).fill('How was the harvest?');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: /^Source 1: Report, p. 2/ }).click();
    const marks = page.getByTestId('pdf-mark');
    await marks.first().waitFor();
    await page.getByText('Page 2 of 3').waitFor();
    expect(await marks.count()).toBe(2);
    const sheet = await page.locator('.pdf-words').boundingBox();
    const boxes = await Promise.all((await marks.all()).map((mark) => mark.boundingBox()));
    const scale = (sheet?.width ?? 0) / 612;
    // Line n of the page starts at x = 72 and has its foot at y = 100 + 30 n from above: see `makePdf`.
    for (const [index, line] of [1, 2].entries()) {
      const box = boxes[index];
      if (!box || !sheet) throw new Error('A mark has no box.');
      expect(Math.abs(box.x - sheet.x - 72 * scale)).toBeLessThan(4);
      const foot = sheet.y + (100 + 30 * line) * scale;
      expect(box.y).toBeLessThan(foot - 8 * scale);
      expect(box.y + box.height).toBeGreaterThan(foot);
      expect(box.height).toBeLessThan(26 * scale);
    }
    expect(boxes[1]?.width ?? 0).toBeLessThan((boxes[0]?.width ?? 0) / 2);
    await page.getByRole('button', { name: 'Text' }).click();
    expect(await page.locator('aside mark').textContent()).toBe(quote);
    expect(window.strayRequests).toEqual([]);
    expect(window.violations).toEqual([]);
  });

  it('marks nothing when the page does not hold the quote, and shows the text when there is no file', async () => {
    const app = useFakeApp();
    app.setDocument(report);
    app.originals.set(report.id, makePdf([['Other words.'], ['Twice the same. Twice the same.']]));
    const twice = makePassage(1, report, 'Twice the same.', { page: 2 });
    app.texts.set(report.id, [twice]);
    for (let n = 0; n < 2; n++) {
      const tape = new Tape<AskEvent>();
      tape.push({
        type: 'answer',
        answer: makeAnswer('See [1].', [makeCitation(1, twice, 'Twice the same.')]),
      });
      tape.end();
      app.script.answers.push(tape);
    }
    const page = await window.open();
    await page.getByRole('textbox', { name: 'Your question' }).fill('What?');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: /^Source 1/ }).click();
    await page.getByText('The quote could not be placed for certain on this page.').waitFor();
    expect(await page.getByTestId('pdf-mark').count()).toBe(0);
    await page.keyboard.press('Escape');
    app.originals.clear();
    await page.getByRole('button', { name: /^Source 1/ }).click();
    await page.getByText('The file has moved, so its pages cannot be shown.').waitFor();
    expect(await page.locator('aside mark').textContent()).toBe('Twice the same.');
  });

  it('breaks no rule of its policy in any corner', async () => {
    const app = useFakeApp();
    app.setDocument(makeDocument(1));
    app.models.push(makeModel('tiny', { name: 'Tiny', state: 'installed' }));
    const id = `chat_${'1'.repeat(16)}` as ChatId;
    app.chats.set(id, { chat: { id, title: 'A chat', numTurns: 0, updatedAtMs: 1 }, turns: [] });
    const page = await window.open();
    await page.getByRole('button', { name: 'More for “A chat”' }).click();
    await page.getByRole('menuitem', { name: 'Rename' }).click();
    await page.getByRole('textbox', { name: 'New name of the chat' }).press('Escape');
    await page.getByRole('button', { name: 'Library' }).click();
    await page.getByRole('button', { name: 'Add address' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Remove “Document 1”' }).click();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Document 1', exact: true }).click();
    await page.getByRole('button', { name: 'Read it beside' }).click();
    await page.getByText('This document has no text.').waitFor();
    await page.getByRole('button', { name: 'Models' }).click();
    await page.getByRole('button', { name: 'Remove Tiny' }).click();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('slider').focus();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('radio', { name: 'Dark' }).click();
    await expect.poll(() => app.settings().theme).toBe('dark');
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(23, 22, 20)');
    expect(window.strayRequests).toEqual([]);
    expect(window.violations).toEqual([]);
  });

  it('follows an answer to its end, but not against the person who scrolls up', async () => {
    const app = useFakeApp();
    const tape = new Tape<AskEvent>();
    app.script.answers.push(tape);
    const page = await window.open();
    await page.getByRole('textbox', { name: 'Your question' }).fill('Tell me all.');
    await page.keyboard.press('Enter');
    tape.push({ type: 'sources', passages: [], retrieveMs: 1 });
    const say = async (word: string): Promise<void> => {
      tape.push({ type: 'text', text: `${`A line of ${word}.\n\n`.repeat(30)}${word} ends.\n\n` });
      await page.getByText(`${word} ends.`).waitFor({ state: 'attached' });
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    };
    const distance = () =>
      page.locator('main .overflow-y-auto').evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight);
    const top = () => page.locator('main .overflow-y-auto').evaluate((list) => list.scrollTop);
    await say('one');
    expect(await distance()).toBeLessThan(48);
    await page.mouse.move(700, 300);
    await page.mouse.wheel(0, -400);
    await page.getByRole('button', { name: 'To the end' }).waitFor();
    const held = await top();
    await say('two');
    expect(await top()).toBe(held);
    await page.getByRole('button', { name: 'To the end' }).click();
    await say('three');
    expect(await distance()).toBeLessThan(48);
    expect(window.violations).toEqual([]);
  });

  it('can be used with the keyboard alone', async () => {
    const app = useFakeApp();
    app.setDocument(makeDocument(1));
    const page = await window.open();
    const focused = () =>
      page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
      );
    await page.getByRole('textbox', { name: 'Your question' }).waitFor();
    expect(await focused()).toBe('Your question');
    const seen = new Set<string>();
    for (let n = 0; n < 16; n++) {
      await page.keyboard.press('Tab');
      seen.add(await focused());
    }
    for (const name of [
      'New chat',
      'Library',
      'Models',
      'Settings',
      'Add files',
      'Add folder',
      'Add address',
      'Document 1',
    ])
      expect([...seen]).toContain(name);
  });

  it.skipIf(!existsSync(payloadFolder))('fetches, runs and follows nothing that an answer says', async () => {
    const app = useFakeApp();
    const payloads = collectPayloads();
    expect(payloads.length).toBeGreaterThan(300);
    const id = `chat_${'0'.repeat(16)}` as ChatId;
    const perTurn = 20;
    const answerOf = (n: number) =>
      makeAnswer(
        payloads
          .slice(n * perTurn, (n + 1) * perTurn)
          .map((payload) => `${payload}\n\n[l](${payload}) ![p](${payload}) ![q][r${n}]\n\n[r${n}]: ${payload}`)
          .join('\n\n'),
      );
    const numTurns = Math.ceil(payloads.length / perTurn);
    const turns = Array.from({ length: numTurns }, (_, n) => makeTurn(n, `Question ${n}`, answerOf(n)));
    app.chats.set(id, { chat: { id, title: 'Payloads', numTurns: turns.length, updatedAtMs: 1 }, turns });
    const page = await window.open();
    await page.getByRole('button', { name: 'Payloads', exact: true }).click();
    await page.getByText(`Question ${turns.length - 1}`, { exact: true }).waitFor();
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    expect(window.strayRequests).toEqual([]);
    expect(window.violations).toEqual([]);
    expect(new URL(page.url()).pathname).toBe('/');
    expect(await page.locator('article').locator('img, iframe, object, embed, video, script, style, a').count()).toBe(
      0,
    );
    expect(page.context().pages()).toHaveLength(1);
  });
});
