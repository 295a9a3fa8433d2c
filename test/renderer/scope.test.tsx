// @vitest-environment jsdom
import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import type { PlaceKey } from '../../app/contract/types.ts';
import { type FakeApp, makeAnswer, makeDocument, makePassage, makeTurn, Tape } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

const lease = makeDocument(1, { title: 'Lease', source: 'lease.docx', kind: 'docx' });
const report = makeDocument(2, { title: 'Report', source: 'report.pdf', kind: 'pdf' });
const contracts = {
  folder: 'place_00112233445566aa' as PlaceKey,
  name: 'work › contracts',
  numDocuments: 1,
  above: null,
};

function fill(app: FakeApp, numAnswers: number): void {
  for (const document of [lease, report]) app.setDocument(document);
  app.places.push(contracts);
  for (let n = 0; n < numAnswers; n++) {
    const tape = new Tape<AskEvent>();
    tape.push({ type: 'answer', answer: makeAnswer(`Answer ${n}`) });
    tape.end();
    app.script.answers.push(tape);
  }
}

const chooser = (name = /^Ask in: /) => screen.findByRole('button', { name });
const box = (name: string) => screen.findByRole('checkbox', { name });

async function ask(question: string): Promise<void> {
  await userEvent.type(await screen.findByRole('textbox', { name: 'Your question' }), `${question}{Enter}`);
}

describe('where a question is asked', () => {
  it('is everything, until folders, documents and types are chosen; each turn says what it was asked in', async () => {
    const user = userEvent.setup();
    const { app } = openWindow((app) => fill(app, 3));
    await ask('First?');
    await screen.findByText('Answer 0');
    await user.click(await chooser(/^Ask in: everything$/));
    await user.click(await box('work › contracts'));
    await user.click(await box('Lease'));
    await user.click(await box('DOCX'));
    await user.keyboard('{Escape}');
    await chooser(/^Ask in: work › contracts, Lease · DOCX$/);
    await ask('Second?');
    await screen.findByText('Answer 1');
    const turn = screen.getByRole('article', { name: 'Second?' });
    expect(within(turn).getByText('In: work › contracts, Lease · DOCX')).toBeTruthy();
    expect(within(screen.getByRole('article', { name: 'First?' })).queryByText(/^In: /)).toBe(null);
    await ask('Third?');
    await screen.findByText('Answer 2');
    const scope = {
      places: [
        { type: 'folder', folder: contracts.folder, name: contracts.name },
        { type: 'document', documentId: lease.id, name: 'Lease' },
      ],
      kinds: ['docx'],
      changedFromMs: null,
      changedBeforeMs: null,
    };
    expect(app.asked.map((asked) => asked.scope)).toEqual([null, scope, scope]);
  });

  it('is searched for by name, by days, and set back to everything', async () => {
    const user = userEvent.setup();
    const { app } = openWindow((app) => fill(app, 2));
    await user.click(await chooser());
    await user.type(await screen.findByRole('searchbox', { name: 'Search collections, folders and documents' }), 'rep');
    await box('Report');
    expect(screen.queryByRole('checkbox', { name: 'Lease' })).toBe(null);
    await user.type(await screen.findByLabelText('Changed from'), '2024-01-31');
    await user.type(await screen.findByLabelText('to'), '2024-02-01');
    await user.keyboard('{Escape}');
    await ask('When?');
    await screen.findByText('Answer 0');
    expect(app.asked[0]?.scope).toMatchObject({
      places: [],
      changedFromMs: new Date(2024, 0, 31).getTime(),
      changedBeforeMs: new Date(2024, 1, 2).getTime(),
    });
    await user.click(await chooser(/from 1\/31\/2024 · to 2\/1\/2024/));
    await user.click(await screen.findByRole('button', { name: 'Everything' }));
    await user.keyboard('{Escape}');
    await ask('And now?');
    await screen.findByText('Answer 1');
    expect(app.asked[1]?.scope).toBe(null);
  });

  it('is kept with a saved chat', async () => {
    const { app } = openWindow((app) => {
      fill(app, 1);
      const turn = {
        ...makeTurn(1, 'Old?', makeAnswer('Old.')),
        scope: { places: [], kinds: ['pdf' as const], changedFromMs: null, changedBeforeMs: null },
      };
      const id = 'chat_0000000000000001' as never;
      app.chats.set(id, { chat: { id, title: 'Saved', numTurns: 1, updatedAtMs: 1 }, turns: [turn] });
    });
    await userEvent.click(await screen.findByRole('button', { name: 'Saved' }));
    await screen.findByText('Old.');
    await chooser(/^Ask in: PDF$/);
    await ask('New?');
    await screen.findByText('Answer 0');
    expect(app.asked[0]?.scope?.kinds).toEqual(['pdf']);
  });
});

describe('a passage that stands in several documents', () => {
  it('stands once, and the others can be opened from it', async () => {
    const user = userEvent.setup();
    const tape = new Tape<AskEvent>();
    const { app } = openWindow((app) => {
      fill(app, 0);
      app.script.answers.push(tape);
      app.texts.set(report.id, [makePassage(21, report, 'The same words.')]);
    });
    await ask('What?');
    const { documentId, title, source, kind, place, passageId } = makePassage(21, report, 'The same words.', {
      page: 3,
    });
    const found = makePassage(11, lease, 'The same words.', { paragraph: 2 });
    const alsoIn = [{ documentId, title, source, kind, place, passageId }];
    tape.push({ type: 'sources', passages: [{ ...found, alsoIn }], retrieveMs: 3 });
    await user.click(await screen.findByRole('button', { name: '1 passage from 1 document' }));
    await user.click(await screen.findByRole('button', { name: 'Also in 1 other document' }));
    await user.click(await screen.findByRole('button', { name: /^Report/ }));
    await screen.findByRole('complementary', { name: /Report/ });
    expect(app.asked).toHaveLength(1);
    tape.end();
  });
});

describe('why these passages', () => {
  it('shows what was searched for, the scores, and what was dropped and why', async () => {
    const user = userEvent.setup();
    const first = makePassage(11, lease, 'Three months.');
    const candidate = { wordScore: 4.5, similarity: 0.61, score: 2.25, rerankScore: null, outcome: 'found' as const };
    const { app } = openWindow((app) => {
      fill(app, 0);
      const tape = new Tape<AskEvent>();
      tape.push({ type: 'sources', passages: [first], retrieveMs: 3 }, { type: 'answer', answer: makeAnswer('Yes.') });
      tape.end();
      app.script.answers.push(tape);
    });
    await ask('How long?');
    await screen.findByText('Yes.');
    const turnId = [...app.chats.values()][0]!.turns[0]!.id;
    app.script.explanations.set(turnId, {
      query: 'The lease\nHow long?',
      embedder: 'MiniLM',
      reranking: { type: 'given-up', model: 'Judge', why: 'slow', numScored: 8, tookMs: 5000 },
      candidates: [
        { ...candidate, passageId: first.passageId, passage: first },
        {
          ...candidate,
          passageId: 12 as never,
          passage: makePassage(12, report, 'Three months'),
          similarity: null,
          outcome: 'repeats',
          repeats: { passageId: first.passageId, likeness: 0.94 },
        },
        { ...candidate, passageId: 13 as never, passage: null, outcome: 'gone' },
      ],
    });
    await user.click(await screen.findByRole('button', { name: '1 passage from 1 document' }));
    await user.click(await screen.findByRole('button', { name: 'Why these?' }));
    const panel = await screen.findByRole('region', { name: 'Why these passages' });
    expect(within(panel).getByText(/The lease\s+How long\?/)).toBeTruthy();
    expect(within(panel).getByText('MiniLM')).toBeTruthy();
    expect(within(panel).getByText('Judge was given up after 5.0 s, with 8 read')).toBeTruthy();
    const rows = within(panel).getAllByRole('row').slice(1);
    const cells = rows.map((row) =>
      within(row)
        .getAllByRole('cell')
        .map(({ textContent }) => textContent),
    );
    expect(cells.map(([, ...rest]) => rest)).toEqual([
      ['4.50', '0.61', '2.25', 'Shown'],
      ['4.50', '–', '2.25', 'Folded into “Lease”: 94 % alike'],
      ['4.50', '0.61', '2.25', 'Not in the library any more'],
    ]);
  });
});
