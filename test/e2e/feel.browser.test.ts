/**
 * How the built window feels in Chromium, with much in it: what is on the page is bounded, and the times are printed (they are
 * recorded in test/bench/README.md; a time is no reason to fail here).
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import type { ChatId } from '../../app/contract/types.ts';
import {
  createFakeApp,
  type FakeApp,
  makeAnswer,
  makeCitation,
  makeDocument,
  makePassage,
  makeTurn,
  Tape,
} from '../fakes/app-handlers.ts';
import { type BuiltWindow, chromiumPath, startBuiltWindow } from '../renderer/built-window.ts';

const numTurns = 2000;
const numDocuments = 10_000;
const report = makeDocument(1, { title: 'Report', source: 'report.txt' });
const quote = 'The harvest of 2024 was the best in forty years';
const passage = makePassage(1, report, `${quote} of records.`, { paragraph: 7 });

const longAnswer = (n: number): string =>
  [
    `Answer ${n}: the harvest was good [1]. It was carried into the barns in *nine* days, and nobody in the valley could say when that had been seen before.`,
    '| Year | Barley | Wheat |\n|---|---|---|\n| 2023 | 1,200 | 980 |\n| 2024 | 1,900 | 1,450 |',
    '- The barley came first [1].\n- The wheat came **nine days** later.\n- What was left was sold.',
    'So the year ended better than it had begun, as the report says in its last paragraph [1].',
  ].join('\n\n');

/** Collects what the eye sees: the time between two frames, and tasks of more than 50 ms. */
async function watchFrames(page: Page): Promise<() => Promise<{ frames: number[]; longTasks: number[] }>> {
  await page.evaluate(() => {
    const seen = { frames: [] as number[], longTasks: [] as number[], isWatching: true };
    Object.assign(window, { seenFrames: seen });
    let last = performance.now();
    const onFrame = (now: number): void => {
      seen.frames.push(now - last);
      last = now;
      if (seen.isWatching) requestAnimationFrame(onFrame);
    };
    requestAnimationFrame(onFrame);
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.longTasks.push(entry.duration);
    }).observe({ type: 'longtask' });
  });
  return () =>
    page.evaluate(() => {
      const { seenFrames: seen } = window as unknown as {
        seenFrames: { frames: number[]; longTasks: number[]; isWatching: boolean };
      };
      seen.isWatching = false;
      return { frames: seen.frames.slice(1), longTasks: seen.longTasks };
    });
}

const twoFrames = (page: Page): Promise<unknown> =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** Holds after a while: the machine may have other work. */
const soon = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000 });

function tell(what: string, value: string): void {
  process.stdout.write(`    measured: ${what}: ${value}\n`);
}

function at(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

describe.skipIf(!chromiumPath)('the window with much in it', () => {
  let window: BuiltWindow;
  beforeAll(async () => {
    window = await startBuiltWindow();
  });
  afterAll(() => window?.close());
  afterEach(() => window?.closePage());

  function useFakeApp(): FakeApp {
    window.app = createFakeApp();
    return window.app;
  }

  function withLongChat(app: FakeApp): ChatId {
    const id = `chat_${'7'.repeat(16)}` as ChatId;
    const turns = Array.from({ length: numTurns }, (_, n) =>
      makeTurn(
        n + 1,
        `Question ${n + 1}: how was the harvest?`,
        makeAnswer(longAnswer(n + 1), [makeCitation(1, passage, quote)]),
      ),
    );
    app.setDocument(report);
    app.texts.set(report.id, [passage]);
    app.chats.set(id, { chat: { id, title: 'A long chat', numTurns, updatedAtMs: 1 }, turns });
    return id;
  }

  /** From the click to the painting of what was wanted. */
  const timeOf = (page: Page, name: string, wanted: string): Promise<number> =>
    page.evaluate(
      ({ name, wanted }) =>
        new Promise<number>((done) => {
          const button = [...document.querySelectorAll('button')].find(
            (one) => one.textContent?.trim().startsWith(name) || one.getAttribute('aria-label') === name,
          );
          const start = performance.now();
          const observer = new MutationObserver(look);
          function look(): void {
            if (!document.querySelector('main')?.textContent?.includes(wanted)) return;
            observer.disconnect();
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
          }
          observer.observe(document.body, { subtree: true, childList: true, characterData: true });
          button?.click();
        }),
      { name, wanted },
    );

  it('opens a chat of 2,000 turns with a few of them on the page, at its end', async () => {
    withLongChat(useFakeApp());
    const page = await window.open();
    await page.getByRole('button', { name: 'A long chat', exact: true }).waitFor();
    const ms = await timeOf(page, 'A long chat', `Answer ${numTurns}:`);
    tell('a chat of 2,000 turns opens', `${ms.toFixed(0)} ms`);
    await page.getByText(`Question ${numTurns}: how was the harvest?`).waitFor();
    await twoFrames(page);
    const numArticles = await page.locator('article').count();
    expect(numArticles).toBeLessThanOrEqual(16);
    const distance = await page
      .getByTestId('turns')
      .evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight);
    expect(distance).toBeLessThan(48);
    const last = page.getByRole('article', { name: `Question ${numTurns}: how was the harvest?` });
    expect(await last.getAttribute('aria-posinset')).toBe(String(numTurns));
    expect(await last.getAttribute('aria-setsize')).toBe(String(numTurns));

    const stop = await watchFrames(page);
    for (let n = 0; n < 40; n++) {
      await page.mouse.move(700, 300);
      await page.mouse.wheel(0, -900);
    }
    await twoFrames(page);
    const { frames } = await stop();
    frames.sort((a, b) => a - b);
    tell('frames while it is scrolled', `p50 ${at(frames, 0.5).toFixed(0)} ms, p99 ${at(frames, 0.99).toFixed(0)} ms`);
    expect(await page.locator('article').count()).toBeLessThanOrEqual(20);
    expect(window.violations).toEqual([]);
  });

  it('finds a turn in it by the search in chats, and is where it was after a look at something else', async () => {
    withLongChat(useFakeApp());
    const page = await window.open();
    await page.getByRole('searchbox', { name: 'Search in chats' }).fill('1234: how');
    await page.getByRole('button', { name: /^In a question:\s*Question 1234/ }).click();
    const wanted = page.getByRole('article', { name: 'Question 1234: how was the harvest?' });
    await wanted.waitFor();
    await soon(() => page.evaluate(() => document.activeElement?.getAttribute('aria-posinset'))).toBe('1234');
    await twoFrames(page);
    const top = async (): Promise<number> => {
      const [box, list] = [await wanted.boundingBox(), await page.getByTestId('turns').boundingBox()];
      return (box?.y ?? Number.NaN) - (list?.y ?? Number.NaN);
    };
    await soon(top).toBeLessThan(60);
    expect(await top()).toBeGreaterThan(-5);
    await page.keyboard.press('PageDown');
    await soon(() => page.evaluate(() => document.activeElement?.getAttribute('aria-posinset'))).toBe('1235');
    await page.keyboard.press('PageUp');
    await soon(() => page.evaluate(() => document.activeElement?.getAttribute('aria-posinset'))).toBe('1234');
    await twoFrames(page);
    const before = await top();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('heading', { name: 'Settings', exact: true }).waitFor();
    await page.getByRole('button', { name: 'A long chat', exact: true }).click();
    await wanted.waitFor();
    await twoFrames(page);
    expect(Math.abs((await top()) - before)).toBeLessThan(4);
    expect(window.violations).toEqual([]);
  });

  it('opens each view, with 10,000 documents', async () => {
    const app = useFakeApp();
    for (let n = 1; n <= numDocuments; n++) app.documents.set(makeDocument(n).id, makeDocument(n));
    app.reset();
    const page = await window.open();
    for (const [name, wanted, again] of [
      // The documents still arrive.
      ['Library', 'Document 10000'],
      ['Models', 'Models'],
      ['Settings', 'Settings'],
      ['New chat', 'Ask your own documents.'],
      ['Library', 'Document 10000', 'again'],
    ] as const)
      tell(`${name} opens${again ? ' again' : ''}`, `${(await timeOf(page, name, wanted)).toFixed(0)} ms`);
    expect(window.violations).toEqual([]);
  });

  it('lets a person type while an answer is written and 10,000 files are indexed', async () => {
    const app = useFakeApp();
    const chatId = withLongChat(app);
    for (let n = 1; n <= numDocuments; n++)
      app.documents.set(makeDocument(n).id, makeDocument(n, { state: 'queued', progress: 0 }));
    app.reset();
    const tape = new Tape<AskEvent>();
    app.script.answers.push(tape);
    const page = await window.open();
    await page.getByRole('button', { name: 'A long chat', exact: true }).click();
    await page.getByText(`Question ${numTurns}: how was the harvest?`).waitFor();
    const field = page.getByRole('textbox', { name: 'Your question' });
    await field.fill('Tell me all.');
    await page.keyboard.press('Enter');
    tape.push({ type: 'sources', passages: [passage], retrieveMs: 1 });
    await page.getByRole('article', { name: 'Tell me all.' }).waitFor();
    // How often each turn changed: what a frame changes comes together.
    await page.evaluate(() => {
      const changes: Record<string, number> = {};
      Object.assign(window, { changes });
      new MutationObserver((records) => {
        const names = new Set<string>();
        for (const { target } of records) {
          const article = (target instanceof Element ? target : target.parentElement)?.closest('article');
          if (article) names.add(article.getAttribute('aria-label') ?? '');
        }
        for (const name of names) changes[name] = (changes[name] ?? 0) + 1;
      }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    });
    const stop = await watchFrames(page);
    // 200 tokens a second, and 1,000 changes of documents a second, as one core of the engine and a folder of notes would.
    let [numTokens, numChanged] = [0, 0];
    const words =
      longAnswer(1)
        .repeat(4)
        .match(/\S+\s*/g) ?? [];
    const writing = setInterval(() => tape.push({ type: 'text', text: words[numTokens++ % words.length] ?? '' }), 5);
    const indexing = setInterval(() => {
      for (let n = 0; n < 10; n++) app.setDocument(makeDocument((numChanged++ % numDocuments) + 1, { state: 'ready' }));
    }, 10);
    const typed = 'What is the harvest of next year going to be, and who will carry it into the barns of the valley?';
    await field.pressSequentially(typed, { delay: 40 });
    clearInterval(writing);
    clearInterval(indexing);
    const { frames, longTasks } = await stop();
    expect(await field.inputValue()).toBe(typed);
    frames.sort((a, b) => a - b);
    tell(
      `frames while ${numTokens} tokens come, ${numChanged} documents change and ${typed.length} letters are typed`,
      `${frames.length} frames, p50 ${at(frames, 0.5).toFixed(0)} ms, p95 ${at(frames, 0.95).toFixed(0)} ms, p99 ${at(frames, 0.99).toFixed(0)} ms, worst ${at(frames, 1).toFixed(0)} ms; ${longTasks.length} tasks of more than 50 ms, the longest ${Math.max(0, ...longTasks).toFixed(0)} ms`,
    );
    // Nothing of the other turns is touched by a word of the last one; what came with them (colours of code, say) may settle.
    const changes = await page.evaluate(() => (window as unknown as { changes: Record<string, number> }).changes);
    const { 'Tell me all.': numOfAsked, ...others } = changes;
    expect(numOfAsked).toBeGreaterThan(30);
    expect(Object.entries(others).filter(([, num]) => num > 5)).toEqual([]);
    tape.push({ type: 'answer', answer: makeAnswer('It was good [1].', [makeCitation(1, passage, quote)]) });
    tape.end();
    await page.getByText('It was good').first().waitFor();
    expect(app.chats.get(chatId)?.turns.at(-1)?.id).toBeDefined();
    expect(window.violations).toEqual([]);
  });

  it('loads what typesets maths and colours code when an answer has some, and not before', async () => {
    const app = useFakeApp();
    const id = `chat_${'8'.repeat(16)}` as ChatId;
    const rich =
      'The mean is $\\bar{x} = \\frac{1}{n}\\sum_i x_i$, and it costs $5 or $6.\n\n$$\\int_0^1 x^2\\,dx = \\tfrac13$$\n\n```python\ndef mean(values):\n    return sum(values) / len(values)  # plain\n```';
    const turns = [makeTurn(1, 'Plain?', makeAnswer('Plain words.'))];
    app.chats.set(id, { chat: { id, title: 'Plain', numTurns: 1, updatedAtMs: 2 }, turns });
    const other = `chat_${'9'.repeat(16)}` as ChatId;
    app.chats.set(other, {
      chat: { id: other, title: 'Rich', numTurns: 1, updatedAtMs: 1 },
      turns: [makeTurn(2, 'Rich?', makeAnswer(rich))],
    });
    const page = await window.open();
    const loaded: string[] = [];
    page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
    await page.getByRole('button', { name: 'Plain', exact: true }).click();
    await page.getByText('Plain words.').waitFor();
    expect(loaded.filter((path) => /formula|highlighted|KaTeX/i.test(path))).toEqual([]);
    await page.getByRole('button', { name: 'Rich', exact: true }).click();
    const answer = page.getByRole('article', { name: 'Rich?' });
    await answer.locator('.katex').nth(1).waitFor();
    await answer.locator('.hljs-keyword').first().waitFor();
    await page.evaluate(() => document.fonts.ready);
    expect(await answer.locator('.katex').count()).toBe(2);
    expect(await answer.locator('.formula-display .katex-display').count()).toBe(1);
    expect(await answer.textContent()).toContain('it costs $5 or $6.');
    expect(loaded.some((path) => /assets\/typeset-formula-.*\.js$/.test(path))).toBe(true);
    expect(loaded.some((path) => /assets\/KaTeX_.*\.woff2$/.test(path))).toBe(true);
    expect(readdirSync(join(window.rendererFolder, 'assets')).filter((name) => /\.(?:woff|ttf)$/.test(name))).toEqual(
      [],
    );
    expect(window.strayRequests).toEqual([]);
    expect(window.violations).toEqual([]);
  });
});
