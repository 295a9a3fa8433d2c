/** Every view, looked at by axe-core in the browser that draws it, in each theme: nothing serious may be found. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import type { ChatId, PlaceKey, Settings } from '../../app/contract/types.ts';
import {
  createFakeApp,
  makeAnswer,
  makeCitation,
  makeConnection,
  makeDocument,
  makeEngine,
  makeFolder,
  makeInstall,
  makeModel,
  makePassage,
  makeTurn,
  Tape,
} from '../fakes/app-handlers.ts';
import { makePdf } from '../fakes/pdf.ts';
import { makeCollection } from '../fakes/shelf.ts';
import { type BuiltWindow, chromiumPath, startBuiltWindow } from './built-window.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

type Finding = { id: string; impact: string; nodes: { html: string; failureSummary: string }[] };

/** What axe finds that stands in somebody's way, as one line each. */
async function findingsOf(page: Page): Promise<string[]> {
  const findings = (await page.evaluate(`(async () => {
    ${axeSource};
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) }));
  })()`)) as Finding[];
  return findings
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
    );
}

const report = makeDocument(1, { title: 'Report', source: 'report.pdf', kind: 'pdf', numPages: 3 });
const passage = makePassage(1, report, 'The harvest of 2024 was the best in forty years of records.', { page: 2 });

/** In a narrow window, collections and folders are behind a button. */
async function openRail(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Collections and folders' });
  await page.getByRole('row').first().waitFor();
  if (await button.isVisible()) await button.click();
}

async function openKept(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Kept', exact: true }).click();
  await page.getByRole('button', { name: /^Source 1/ }).waitFor();
  await page.getByRole('button', { name: 'Copy the code' }).focus();
}

describe.skipIf(!chromiumPath)('Nothing in the way of anybody, in the', () => {
  let window: BuiltWindow;

  beforeAll(async () => {
    window = await startBuiltWindow();
  });
  afterAll(() => window?.close());
  afterEach(() => window?.closePage());

  async function openIn(theme: Settings['theme'], textSize = 100): Promise<Page> {
    const app = createFakeApp({ theme, textSize });
    window.app = app;
    app.setDocument(report);
    app.setDocument(makeDocument(2, { state: 'failed', reason: 'It is damaged.' }));
    app.setDocument(makeDocument(3, { state: 'reading' }));
    app.originals.set(
      report.id,
      makePdf([['Nothing.'], ['The harvest of 2024 was the best in forty', 'years of records.'], ['End.']]),
    );
    app.texts.set(report.id, [passage]);
    app.setCollections([makeCollection(1, { name: 'Contracts' })]);
    app.citing.set(report.id, [
      {
        chatId: 'chat_0000000000000061' as ChatId,
        title: 'Kept',
        turnId: makeTurn(62, '').id,
        question: 'How?',
        askedAtMs: 1,
      },
    ]);
    app.setFolders([makeFolder(1), makeFolder(2, { state: 'unreachable' }), makeFolder(3, { state: 'paused' })]);
    app.models.push(makeModel('tiny', { name: 'Tiny', state: 'installed' }), makeModel('big', { name: 'Big' }));
    const id = `chat_${'1'.repeat(16)}` as ChatId;
    app.chats.set(id, { chat: { id, title: 'A chat', numTurns: 0, updatedAtMs: 1 }, turns: [] });
    const kept = `chat_${'2'.repeat(16)}` as ChatId;
    const answer = makeAnswer('It was **good** [1].\n\n```sql\nSELECT 1\n```', [makeCitation(1, passage, 'the best')]);
    const versions = [makeTurn(61, 'How was the harvest?', answer), makeTurn(62, 'How good was the harvest?', answer)];
    for (const turn of versions) Object.assign(turn, { siblings: versions.map(({ id }) => id), numFound: 1 });
    app.chats.set(kept, {
      chat: { id: kept, title: 'Kept', numTurns: 2, updatedAtMs: 2 },
      turns: versions.slice(1),
    });
    return window.open();
  }

  const views: Record<string, (page: Page) => Promise<void>> = {
    'empty chat': async () => undefined,
    'chat with an answer, its proof and its page': async (page) => {
      const tape = new Tape<AskEvent>();
      tape.push({ type: 'sources', passages: [passage], retrieveMs: 12 });
      tape.push({
        type: 'answer',
        answer: makeAnswer('It was **good** [1].\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n`code`', [
          makeCitation(1, passage, 'the best in forty years'),
        ]),
      });
      tape.end();
      window.app.script.answers.push(tape);
      await page.getByRole('textbox', { name: 'Your question' }).fill('How was the harvest?');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: /^Source 1: Report, p. 2/ }).click();
      await page.getByText('Page 2 of 3').waitFor();
    },
    'maths, code, a wide table, and a sentence without a quote': async (page) => {
      const text = `It was $x^2$.\n\n$$\\sum_i x_i = \\frac{1}{2}$$\n\n\`\`\`python\ndef f(x):  # a remark\n    return "x" + str(1)\n\`\`\`\n\n| ${'a wide column | '.repeat(12)}b |\n|${'---|'.repeat(13)}\n| ${'1 | '.repeat(12)}2 |`;
      const turn = makeTurn(71, 'Rich?', makeAnswer(text, [], { unsupported: [{ start: 0, endExclusive: 13 }] }));
      const id = `chat_${'4'.repeat(16)}` as ChatId;
      window.app.chats.set(id, { chat: { id, title: 'Rich', numTurns: 1, updatedAtMs: 4 }, turns: [turn] });
      await page.reload();
      await page.getByRole('button', { name: 'Rich', exact: true }).click();
      await page.locator('.katex').nth(1).waitFor();
      await page.locator('.hljs-keyword').first().waitFor();
    },
    'cells of a spreadsheet': async (page) => {
      const sheet = makeDocument(4, { title: 'Rents', source: 'rents.xlsx', kind: 'xlsx' });
      const rows = 'City | Rent 2023 | Rent 2024\nOslo | 1,200 | 1,250\nParis | 2,000 | 2,100';
      const cells = makePassage(4, sheet, rows, { label: 'Sheet Rents B4:D5' });
      const citation = { ...makeCitation(1, cells, 'Oslo | 1,200 | 1,250'), cell: 'Rent 2024: 1,250' };
      window.app.setDocument(sheet);
      window.app.texts.set(sheet.id, [cells]);
      const id = `chat_${'5'.repeat(16)}` as ChatId;
      const turns = [makeTurn(72, 'Rent?', makeAnswer('It is 1,250 [1].', [citation]))];
      window.app.chats.set(id, { chat: { id, title: 'Cells', numTurns: 1, updatedAtMs: 5 }, turns });
      await page.reload();
      await page.getByRole('button', { name: 'Cells', exact: true }).click();
      await page.getByRole('button', { name: /^Source 1: Rents/ }).click();
      await page.getByRole('region', { name: 'Cells' }).waitFor();
    },
    'where a question is asked': async (page) => {
      window.app.places.push({
        folder: 'place_00112233445566aa' as PlaceKey,
        name: 'work › contracts',
        numDocuments: 3,
        above: null,
      });
      await page.getByRole('button', { name: /^Ask in/ }).click();
      await page.getByRole('checkbox', { name: 'work › contracts' }).click();
    },
    'why these passages, one of them in other documents': async (page) => {
      const { documentId, title, source, kind, place, passageId } = passage;
      const twin = { documentId, title, source, kind, place, passageId };
      window.app.found.set(makeTurn(62, '').id, [{ ...passage, alsoIn: [twin] }]);
      const scores = { wordScore: 3, similarity: null, score: 1, rerankScore: null };
      window.app.script.explanations.set(makeTurn(62, '').id, {
        query: 'How good was the harvest?',
        embedder: null,
        reranking: { type: 'none' },
        candidates: [
          { ...scores, passageId, passage, outcome: 'found' },
          { ...scores, passageId: 99 as never, passage: null, outcome: 'gone' },
        ],
      });
      await openKept(page);
      await page.getByRole('button', { name: '1 passage', exact: true }).click();
      await page.getByRole('button', { name: 'Also in 1 other document' }).click();
      await page.getByRole('button', { name: 'Why these?' }).click();
      await page.getByText('Not in the library any more').waitFor();
    },
    'versions of a question': async (page) => {
      await openKept(page);
      await page.getByRole('group', { name: 'Versions of this question' }).hover();
    },
    'question being edited': async (page) => {
      await openKept(page);
      await page.getByRole('heading', { name: 'How good was the harvest?' }).hover();
      await page.getByRole('button', { name: 'Edit the question' }).click();
      await page.getByRole('textbox', { name: 'The question, edited' }).waitFor();
    },
    'menu of an answer': async (page) => {
      await openKept(page);
      await page.getByRole('button', { name: 'Ask again' }).click();
      await page.getByRole('menuitem', { name: 'From more passages' }).waitFor();
    },
    'search in chats': async (page) => {
      await page.getByRole('searchbox', { name: 'Search in chats' }).fill('harvest');
      await page.getByText('1 chat found').waitFor();
    },
    'menu of a chat': async (page) => {
      await page.getByRole('button', { name: 'More for “A chat”' }).click();
      await page.getByRole('menuitem', { name: 'Rename' }).waitFor();
    },
    'commands of the composer': async (page) => {
      await page.getByRole('textbox', { name: 'Your question' }).fill('/');
      await page.getByRole('option').first().waitFor();
    },
    'dialog for whole documents': async (page) => {
      await page.getByRole('button', { name: 'Read whole documents' }).click();
      await page.getByRole('button', { name: 'Compare' }).click();
      await page.getByRole('group', { name: 'Second document' }).waitFor();
    },
    'progress of a job': async (page) => {
      await page.getByPlaceholder(/^Ask your/).waitFor();
      await page.getByRole('textbox', { name: 'Your question' }).fill('/summarise Report');
      await page.keyboard.press('Enter');
      await page.getByText('Waiting for the work before it').waitFor();
      const { turnId } = window.app.jobs()[0]!;
      window.app.changeJob(turnId, { state: 'reading', numParts: 37, numRead: 11, document: 'Report', secondsLeft: 9 });
      await page.getByText('Reading part 12 of 37').waitFor();
    },
    'menu of a whole document': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('button', { name: 'Whole document: “Report”' }).click();
      await page.getByRole('menuitem', { name: 'Summarise' }).waitFor();
    },
    library: async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('heading', { name: 'Library' }).waitFor();
      await page.getByRole('row').first().waitFor();
    },
    'library with rows that are chosen': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('checkbox', { name: 'Select “Report”' }).click();
      await page.getByRole('region', { name: 'Selected documents' }).waitFor();
    },
    'filters of the library': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('button', { name: 'Filters' }).click();
      await page.getByRole('dialog', { name: 'Filters' }).waitFor();
    },
    'collections in the menu of a document': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('button', { name: 'Whole document: “Report”' }).click();
      await page.getByRole('menuitem', { name: 'Collections' }).press('ArrowRight');
      await page.getByRole('menuitemcheckbox', { name: 'Contracts' }).waitFor();
    },
    'dialog for a new collection': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await openRail(page);
      await page.getByRole('button', { name: 'New collection' }).click();
      await page.getByRole('dialog').waitFor();
    },
    'dialog that removes': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('button', { name: 'Remove “Report”' }).click();
      await page.getByRole('dialog').waitFor();
    },
    'page of a document': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('button', { name: 'Report', exact: true }).click();
      await page.getByRole('searchbox', { name: 'Find in this document' }).fill('harvest');
      await page.getByText('1 of 1').waitFor();
    },
    'page of a document that could not be read': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('button', { name: 'Document 2', exact: true }).click();
      await page.getByRole('heading', { level: 1, name: 'Document 2' }).waitFor();
    },
    'dialog for an address': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('button', { name: 'Add address' }).click();
      await page.getByRole('dialog').waitFor();
    },
    'text of a document': async (page) => {
      await page.getByRole('button', { name: 'Library' }).click();
      await page.getByRole('button', { name: 'Report', exact: true }).click();
      await page.getByRole('button', { name: 'Read it beside' }).click();
      await page.getByRole('button', { name: 'Text' }).click();
    },
    'welcome on a first start': async (page) => {
      window.app.welcome.seen = false;
      await page.reload();
      await page.getByText('Try it at once').waitFor();
    },
    'welcome, with samples and models on their way': async (page) => {
      window.app.welcome.seen = false;
      window.app.models.push(makeModel('small', { role: 'embedder', name: 'Small' }));
      window.app.setDocument(makeDocument(9, { source: 'Lease, 12 Harbour Street.pdf' }));
      window.app.setInstalls([
        makeInstall('small', { name: 'Small', role: 'embedder' }),
        makeInstall('big', { name: 'Big', state: 'failed', reason: 'The connection broke off.' }),
      ]);
      await page.reload();
      await page.getByRole('button', { name: 'When is the rent due?' }).waitFor();
      await page.getByRole('progressbar', { name: 'Small: Fetching' }).waitFor();
    },
    'models, each with its fit, on their way and of one’s own': async (page) => {
      const fit = {
        device: 'cpu',
        contextTokens: 8192,
        neededBytes: 6e9,
        freeBytes: 20e9,
        tokensPerSecond: 9,
      } as const;
      window.app.models.push(
        makeModel('fits', { name: 'Fits', fit: { ...fit, verdict: 'fits' } }),
        makeModel('slow', { name: 'Slow', fit: { ...fit, verdict: 'slow' } }),
        makeModel('huge', { name: 'Huge', fit: { ...fit, verdict: 'too-large' } }),
        makeModel('mine', { name: 'Mine', own: true, state: 'broken', note: 'Its file is damaged.' }),
      );
      window.app.setInstalls([
        makeInstall('fits', { name: 'Fits' }),
        makeInstall('slow', { name: 'Slow', state: 'paused' }),
        makeInstall('own-new', { name: 'New', from: 'own-files', step: 'build' }),
      ]);
      await page.getByRole('button', { name: 'Models', exact: true }).click();
      await page.getByRole('button', { name: 'One model is too large for this computer' }).click();
      await page.getByRole('article', { name: 'Huge' }).waitFor();
    },
    'models being moved': async (page) => {
      const move = { to: 'D: › Quoth models', step: 'copy', doneBytes: 2e8, totalBytes: 7e8 } as const;
      window.app.setModelsFolder({ state: 'moving', move: { ...move, bytesPerSecond: 1e8, secondsLeft: 5 } });
      await page.getByRole('button', { name: 'Models', exact: true }).click();
      await page.getByRole('progressbar', { name: 'Moving the models to D: › Quoth models' }).waitFor();
    },
    'removal of a model': async (page) => {
      await page.getByRole('button', { name: 'Models', exact: true }).click();
      await page.getByRole('button', { name: 'Remove Tiny' }).click();
      await page.getByRole('dialog').waitFor();
    },
    models: async (page) => {
      await page.getByRole('button', { name: 'Models', exact: true }).click();
      await page.getByRole('heading', { name: 'Models', exact: true }).waitFor();
    },
    ...Object.fromEntries(
      ['Appearance', 'Answers', 'Library', 'Models & engine', 'Privacy', 'This computer'].map((section) => [
        `settings: ${section}`,
        async (page: Page) => {
          window.app.engines.push(makeEngine());
          window.app.ledger.push(makeConnection(2, { outcome: 'refused' }), makeConnection(1));
          await page.getByRole('button', { name: 'Settings' }).click();
          await page.getByRole('tab', { name: section }).click();
          await page.getByRole('heading', { name: section }).waitFor();
          if (section === 'Privacy') await page.getByText('not made', { exact: true }).waitFor();
        },
      ]),
    ),
    'forgetting everything': async (page) => {
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('tab', { name: 'Privacy' }).click();
      await page.getByRole('button', { name: 'Forget everything' }).click();
      await page.getByRole('dialog').waitFor();
    },
  };

  describe.each(['light', 'dark', 'contrast'] as const)('%s theme:', (theme) => {
    it.each(Object.keys(views))('%s', async (name) => {
      const page = await openIn(theme);
      await views[name]?.(page);
      // What fades in is looked at when it is there: a half transparent text has no contrast of its own.
      await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
      expect(await findingsOf(page)).toEqual([]);
    });
  });

  it.each(Object.keys(views))('largest text: %s loses nothing at its sides', async (name) => {
    const page = await openIn('light', 200);
    // Wide enough for the list of chats to stay; test/renderer/languages.browser.test.ts looks at a narrower window.
    await page.setViewportSize({ width: 1600, height: 1000 });
    await views[name]?.(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    // Nothing that can be used lies outside of the window without a list that scrolls to it.
    const lost = await page.evaluate(() =>
      [...document.querySelectorAll('button, input, select, textarea, [role=slider], h1, h2')]
        .filter((element) => {
          const box = element.getBoundingClientRect();
          return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
        })
        .map((element) => element.outerHTML.slice(0, 120)),
    );
    expect(lost).toEqual([]);
  });
});
