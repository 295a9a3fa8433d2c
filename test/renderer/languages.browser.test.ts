/**
 * Every view in every language: nothing that is written is cut off, and with the largest text nothing lies over anything. Each is
 * kept as a picture, light and dark: see pictures.ts.
 */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import { type Settings, windowLanguages } from '../../app/contract/types.ts';
import {
  createFakeApp,
  makeAnswer,
  makeCitation,
  makeDocument,
  makeFolder,
  makeModel,
  makePassage,
  Tape,
} from '../fakes/app-handlers.ts';
import { makePdf } from '../fakes/pdf.ts';
import { type BuiltWindow, chromiumPath, startBuiltWindow } from './built-window.ts';
import { coveredControls, lostText } from './lost-text.ts';
import { picture } from './pictures.ts';

type Language = (typeof windowLanguages)[number];

/** A text of the window by its key, with nothing filled in. */
function textOf(language: Language): (key: string) => string {
  const file = new URL(`../../renderer/common/text/${language}.json`, import.meta.url);
  const texts: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return (key) => {
    const found = key
      .split('.')
      .reduce((node: unknown, part) => (node as Record<string, unknown> | undefined)?.[part], texts);
    if (typeof found !== 'string') throw new Error(`There is no text ${key} in ${language}.`);
    return found;
  };
}

const escaped = (words: string): RegExp => new RegExp(`^${words.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);

const report = makeDocument(1, {
  title: 'A report whose title is longer than any list is wide, about the harvests of the last forty years',
  source: 'report.pdf',
  kind: 'pdf',
  numPages: 3,
});
const passage = makePassage(1, report, 'The harvest of 2024 was the best in forty years of records.', { page: 2 });
const question = 'How was the harvest?';

type View = (page: Page, t: (key: string) => string) => Promise<void>;

async function place(page: Page, t: (key: string) => string, name: string): Promise<void> {
  const button = page
    .getByRole('navigation', { name: t('frame.places') })
    .getByRole('button', { name: escaped(t(`frame.${name}`)) });
  await button.click();
  await page.getByRole('heading', { name: t(`${name}.title`), level: 1 }).waitFor();
}

/** The views, in an order in which one leads to the next. To be added to with every new one. */
const views: Record<string, View> = {
  'empty chat': async (page, t) => page.getByText(t('empty.title')).waitFor(),
  'whole documents': async (page, t) => {
    await page.getByRole('button', { name: t('jobs.title') }).click();
    await page.getByRole('dialog').waitFor();
  },
  'answer and page': async (page) => {
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    const field = page.getByRole('textbox').last();
    await field.fill(question);
    await field.press('Enter'); // the dialog that closes may give the focus back meanwhile
    const answer = page.getByRole('article', { name: question });
    await answer.and(page.locator('[aria-busy=false]')).waitFor();
    await answer
      .getByRole('button', { name: /1.*A report whose title/ })
      .first()
      .click();
    await page.getByRole('complementary').locator('canvas').first().waitFor();
  },
  library: async (page, t) => {
    await page.keyboard.press('Escape');
    await place(page, t, 'library');
  },
  'a document': async (page, t) => {
    await page.getByRole('grid').getByRole('row').first().getByRole('button').first().click();
    await page.getByRole('button', { name: t('document.back') }).waitFor();
  },
  'an address': async (page, t) => {
    await page.getByRole('button', { name: t('document.back') }).click();
    await page.getByRole('button', { name: t('library.addAddress') }).click();
    await page.getByRole('dialog').waitFor();
  },
  models: async (page, t) => {
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await place(page, t, 'models');
  },
  ...Object.fromEntries(
    ['appearance', 'answers', 'library', 'models', 'privacy', 'programs', 'machine'].map((section): [string, View] => [
      `settings ${section}`,
      async (page, t) => {
        await place(page, t, 'settings');
        await page.getByRole('tab', { name: t(`sections.${section}`) }).click();
      },
    ]),
  ),
};

describe.skipIf(!chromiumPath)('Every view', () => {
  let window: BuiltWindow;

  beforeAll(async () => {
    window = await startBuiltWindow();
  });
  afterAll(() => window?.close());

  function openIn(settings: Partial<Settings>, language: Language): Promise<Page> {
    const app = createFakeApp({ ...settings, language });
    window.app = app;
    app.setDocument(report);
    app.setDocument(makeDocument(2, { state: 'failed', reason: 'It is damaged.' }));
    app.setDocument(makeDocument(3, { state: 'reading' }));
    app.originals.set(
      report.id,
      makePdf([['Nothing.'], ['The harvest of 2024 was the best in forty', 'years of records.'], ['End.']]),
    );
    app.texts.set(report.id, [passage]);
    app.setFolders([makeFolder(1), makeFolder(2, { state: 'unreachable' }), makeFolder(3, { state: 'paused' })]);
    app.models.push(makeModel('tiny', { name: 'Tiny', state: 'installed' }), makeModel('big', { name: 'Big' }));
    const tape = new Tape<AskEvent>();
    tape.push({ type: 'sources', passages: [passage], retrieveMs: 12 });
    const citation = makeCitation(1, passage, 'the best in forty years');
    tape.push({
      type: 'answer',
      answer: makeAnswer('It was **good** [1].\n\n| a | b |\n|---|---|\n| 1 | 2 |', [citation]),
    });
    tape.end();
    app.script.answers.push(tape);
    return window.open(textOf(language)('frame.settings'));
  }

  /** Walks through all views and gives what is wrong in each. */
  async function walk(page: Page, language: Language, look: (name: string) => Promise<string[]>): Promise<string[]> {
    const t = textOf(language);
    page.setDefaultTimeout(15_000);
    const found: string[] = [];
    for (const [name, go] of Object.entries(views)) {
      await go(page, t);
      await page.evaluate(() => document.fonts.ready);
      found.push(...(await look(name)).map((one) => `${name}: ${one}`));
    }
    return found;
  }

  describe.each(windowLanguages)('in %s', (language) => {
    it.each(['light', 'dark'] as const)(
      'cuts no word off: %s',
      async (theme) => {
        const page = await openIn({ theme }, language);
        try {
          const found = await walk(page, language, async (name) => {
            await picture(page, `${name} ${language} ${theme}`);
            return lostText(page);
          });
          expect(found).toEqual([]);
        } finally {
          await window.closePage();
        }
      },
      120_000,
    );

    it('loses no word and covers nothing when the text is twice as large', async () => {
      const page = await openIn({ theme: 'light', textSize: 200 }, language);
      try {
        const found = await walk(page, language, async (name) => {
          await picture(page, `${name} ${language} 200`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          return [
            ...(wide > 0 ? [`wider than the window by ${wide}`] : []),
            ...(await lostText(page)),
            ...(await coveredControls(page)),
          ];
        });
        expect(found).toEqual([]);
      } finally {
        await window.closePage();
      }
    }, 120_000);
  });
});
