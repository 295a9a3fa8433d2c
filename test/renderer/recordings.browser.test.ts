/**
 * Recordings in the built window: a citation's second plays, what is said stands beside it, and the server hands out ranges. And
 * the languages of scanned pages and the speech models, in every language of the window.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import { type Settings, windowLanguages } from '../../app/contract/types.ts';
import {
  createFakeApp,
  makeAnswer,
  makeCitation,
  makeDocument,
  makeInstall,
  makeModel,
  makePassage,
  Tape,
} from '../fakes/app-handlers.ts';
import { makeWav } from '../fakes/wav.ts';
import { findingsOf } from './axe.ts';
import { type BuiltWindow, chromiumPath, startBuiltWindow } from './built-window.ts';
import { lostText } from './lost-text.ts';
import { picture } from './pictures.ts';

type Language = (typeof windowLanguages)[number];
type Texts = (key: string) => string;

function textOf(language: Language): Texts {
  const file = new URL(`../../renderer/common/text/${language}.json`, import.meta.url);
  const texts: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return (key) =>
    String(key.split('.').reduce((node: unknown, part) => (node as Record<string, unknown>)?.[part], texts));
}

const talk = makeDocument(1, { title: 'Harbour meeting, March', source: 'harbour meeting.wav', kind: 'recording' });
const said = [
  'Good morning, everybody, and welcome to the meeting of the harbour board.',
  'The dredging of the northern basin is put off until the autumn, since the ship is in repair.',
  'The board grants eighteen thousand pounds for the eastern lock. Captain Whitcombe seconds it.',
  'That is all for today. Thank you for coming, and mind the stairs.',
].map((words, at) => makePassage(at + 1, talk, words, { startSeconds: at * 15 }));
const quote = 'eighteen thousand pounds for the eastern lock';
const question = 'What was granted?';

describe.skipIf(!chromiumPath)('In the window', () => {
  let window: BuiltWindow;
  let folder = '';
  let wav = '';

  beforeAll(async () => {
    folder = await realpath(mkdtempSync(join(tmpdir(), 'quoth 山田 太郎 ')));
    wav = join(folder, 'harbour meeting.wav');
    writeFileSync(wav, makeWav(60));
    writeFileSync(join(folder, 'notes.wav'), 'no sound at all, but words');
    window = await startBuiltWindow();
  }, 120_000);
  afterAll(async () => {
    await window?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => window?.closePage());

  async function openIn(
    settings: Partial<Settings> = {},
    file: string | null = wav,
  ): Promise<{ page: Page; t: Texts }> {
    const language = (settings.language ?? 'en') as Language;
    const app = createFakeApp({ language, ...settings });
    window.app = app;
    window.recordings.clear();
    if (file !== null) window.recordings.set(talk.id, file);
    app.setDocument(talk);
    app.texts.set(talk.id, said);
    app.script.numScanned = 3;
    const scan = (id: string, code: string, part = {}) =>
      makeModel(id, { name: id, role: 'scan', languages: [code], downloadBytes: 8.1e6, planBytes: 1.4e6, ...part });
    app.models.push(
      makeModel('tiny', { name: 'Tiny', state: 'installed', inUse: true }),
      makeModel('whisper-base', { name: 'Whisper base', role: 'speech', languages: Array(99).fill('en') }),
      makeModel('whisper-small', { name: 'Whisper small', role: 'speech', languages: Array(99).fill('en') }),
      scan('scan-fra', 'fr', { state: 'installed', inUse: true }),
      scan('scan-jpn', 'ja'),
      scan('scan-deu', 'de', { state: 'installed' }),
      scan('scan-chi_sim', 'zh-Hans'),
      scan('scan-spa', 'es'),
      scan('scan-pol', 'pl'),
    );
    app.setInstalls([makeInstall('scan-jpn', { name: 'Japanese', role: 'scan', doneBytes: 3e6, totalBytes: 8.1e6 })]);
    const tape = new Tape<AskEvent>();
    tape.push({ type: 'sources', passages: said, retrieveMs: 12 });
    const citations = [makeCitation(1, said[2]!, quote), makeCitation(2, said[1]!, 'put off until the autumn')];
    tape.push({ type: 'answer', answer: makeAnswer('Money for the lock [1], but no dredging [2].', citations) });
    tape.end();
    app.script.answers.push(tape);
    const page = await window.open(textOf(language)('frame.settings'));
    page.setDefaultTimeout(15_000);
    return { page, t: textOf(language) };
  }

  async function cite(page: Page, n = 1): Promise<void> {
    if (n === 1) {
      await page.getByRole('textbox').last().fill(question);
      await page.keyboard.press('Enter');
    }
    const answer = page.getByRole('article', { name: question });
    await answer.and(page.locator('[aria-busy=false]')).waitFor();
    await answer
      .getByRole('button', { name: new RegExp(`${n}.*Harbour meeting`) })
      .first()
      .click();
    await page.getByRole('complementary').waitFor();
  }
  type State = { at: number; paused: boolean; rate: number };
  const player = (page: Page): Promise<State> =>
    page.locator('video').evaluate((video: HTMLVideoElement) => {
      return { at: video.currentTime, paused: video.paused, rate: video.playbackRate };
    });
  /** The page's policy lets no words be run as a script, so it is asked again and again from here. */
  const until = (page: Page, wanted: (state: State) => boolean) =>
    expect.poll(async () => wanted(await player(page)), { timeout: 15_000, interval: 50 }).toBe(true);

  it('a citation of a recording opens it at its second and plays; the next one goes on from there', async () => {
    const { page } = await openIn();
    await cite(page);
    await until(page, ({ at, paused }) => at > 30.2 && !paused);
    expect((await player(page)).at).toBeLessThan(45);
    const panel = page.getByRole('complementary', { name: 'Reader: Harbour meeting, March' });
    expect(await panel.locator('mark').textContent()).toBe(quote);
    await panel.getByRole('button', { name: 'Pause' }).click();
    await until(page, ({ paused }) => paused);
    await cite(page, 2);
    await until(page, ({ at, paused }) => at > 15.1 && at < 28 && !paused);
    expect(await panel.locator('mark').textContent()).toBe('put off until the autumn');
    // What is said now is marked beside its words, and every second is a way to itself.
    expect(await panel.locator('button[aria-current=time]').getAttribute('aria-label')).toBe('Play from 0:15');
    await panel.getByRole('button', { name: 'Play from 0:45' }).click();
    await until(page, ({ at }) => at >= 45);
    expect(window.violations).toEqual([]);
    expect(window.strayRequests).toEqual([]);
  });

  it('space plays and pauses, the arrows skip, and the slider and the speed are the keyboard’s too', async () => {
    const { page } = await openIn();
    await cite(page);
    await until(page, ({ paused }) => !paused);
    await page.keyboard.press('Space');
    await until(page, ({ paused }) => paused);
    const { at: before } = await player(page);
    await page.keyboard.press('ArrowRight');
    await until(page, ({ at }) => Math.abs(at - (before + 5)) < 0.3);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await until(page, ({ at }) => Math.abs(at - (before - 5)) < 0.3);
    const slider = page.getByRole('slider', { name: 'Position' });
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/^0:\d\d of 1:00$/);
    await slider.focus();
    await page.keyboard.press('Home');
    await until(page, ({ at }) => at < 0.3);
    expect((await player(page)).paused).toBe(true);
    await page.getByRole('combobox', { name: 'Speed' }).selectOption('1.5');
    await until(page, ({ rate }) => rate === 1.5);
    await page.getByRole('button', { name: 'Forward 10 seconds' }).click();
    await until(page, ({ at }) => Math.abs(at - 10) < 0.3);
    // Escape closes the panel, and nothing plays on behind it.
    await page.keyboard.press('Escape');
    await page.getByRole('complementary').waitFor({ state: 'hidden' });
    expect(await page.locator('video').count()).toBe(0);
  });

  it('on a document’s own page every second is a way to hear it', async () => {
    const { page } = await openIn();
    await page
      .getByRole('button', { name: /^Library/ })
      .first()
      .click();
    await page.getByRole('grid').getByRole('row').first().getByRole('button').first().click();
    await page.getByRole('button', { name: 'Play from 0:15' }).click();
    await until(page, ({ at, paused }) => at > 15.1 && !paused);
    await page.getByRole('complementary', { name: 'Reader: Harbour meeting, March' }).waitFor();
  });

  it('what cannot be played, or is gone, still shows what is said in it', async () => {
    for (const [file, words] of [
      [join(folder, 'notes.wav'), 'This recording cannot be played here.'],
      [null, 'The recording is no longer where it was.'],
    ] as const) {
      const { page } = await openIn({}, file);
      await cite(page);
      await page.getByText(words, { exact: false }).waitFor();
      expect(await page.getByRole('complementary').locator('mark').textContent()).toBe(quote);
      await window.closePage();
    }
  });

  const views: Record<string, (page: Page, t: Texts) => Promise<void>> = {
    'a recording': async (page) => {
      await cite(page);
      await until(page, ({ at }) => at > 30);
      await page.keyboard.press('Space');
    },
    'languages of scans': async (page, t) => {
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: t('frame.settings'), exact: true }).click();
      await page.getByRole('tab', { name: t('sections.library') }).click();
      await page.getByRole('heading', { name: t('scans.title') }).scrollIntoViewIfNeeded();
      await page.getByText(t('scans.again')).waitFor();
    },
    'speech models': async (page, t) => {
      await page
        .getByRole('button', { name: new RegExp(`^${t('frame.models')}`) })
        .first()
        .click();
      await page.getByRole('heading', { name: t('models.role.speech') }).scrollIntoViewIfNeeded();
    },
  };

  it.each(
    windowLanguages.flatMap((language) => (['light', 'dark'] as const).map((theme) => [language, theme] as const)),
  )(
    'it is all readable, in %s, %s',
    async (language, theme) => {
      const { page, t } = await openIn({ language, theme });
      for (const [name, go] of Object.entries(views)) {
        await go(page, t);
        await page.evaluate(() => document.fonts.ready);
        await picture(page, `kits ${name} ${language} ${theme}`);
        expect(await lostText(page), name).toEqual([]);
        if (language === 'en') expect(await findingsOf(page), name).toEqual([]);
      }
      expect(window.violations).toEqual([]);
    },
    120_000,
  );
});
