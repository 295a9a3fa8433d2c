// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { TurnId } from '../../app/contract/types.ts';
import { slashCommands } from '../../renderer/jobs/slash.ts';
import {
  type FakeApp,
  makeAnswer,
  makeCitation,
  makeDocument,
  makeFolder,
  makePassage,
} from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

const lease = makeDocument(1, { title: 'Lease 2023' });
const newer = makeDocument(2, { title: 'Lease 2024' });
const passage = makePassage(7, lease, 'The rent is 900 euros.', { page: 3 });
const coverage = { numParts: 37, numRead: 37, numDocuments: 1, numPassages: 212, numInOwnWords: 0, unread: [] };
const task = { type: 'summarise' as const, scope: { type: 'documents' as const, documentIds: [lease.id] } };
const summary = makeAnswer(
  '- The rent is 900 euros. [1]\n\n*Read 37 of 37 parts.*',
  [makeCitation(1, passage, passage.text)],
  {
    job: { task, coverage },
  },
);

const open = async (prepare: (app: FakeApp) => void = () => undefined) => {
  const opened = openWindow((app) => {
    app.setDocument(lease);
    app.setDocument(newer);
    prepare(app);
  });
  await screen.findByPlaceholderText('Ask your 2 documents');
  return opened;
};
const field = () => screen.getByRole('textbox', { name: 'Your question' });
const type = (text: string) => fireEvent.change(field(), { target: { value: text } });
const press = (key: string) => fireEvent.keyDown(field(), { key });
/** Shows a menu as a pointer does. */
const openMenu = async (name: string) =>
  fireEvent.pointerDown(await screen.findByRole('button', { name }), { button: 0, ctrlKey: false });
const jobOf = (app: FakeApp): TurnId => app.jobs().at(-1)!.turnId;

describe('whole documents', () => {
  it('are summarised from the row of a document: progress, then the result with its quotes', async () => {
    const { app } = await open();
    fireEvent.click(screen.getByRole('button', { name: 'Library' }));
    await openMenu('Whole document: “Lease 2023”');
    fireEvent.click(await screen.findByRole('menuitem', { name: 'Summarise' }));
    await waitFor(() => expect(app.started).toMatchObject([{ task, chatId: null, language: 'en' }]));
    const article = await screen.findByRole('article');
    await within(article).findByText('Waiting for the work before it');
    const turnId = jobOf(app);
    app.changeJob(turnId, { state: 'reading', numParts: 37, numRead: 11, document: 'Lease 2023', secondsLeft: 130 });
    await within(article).findByText('Reading part 12 of 37');
    within(article).getByText('Lease 2023 · 2 min left');
    expect(within(article).getByRole('progressbar').getAttribute('aria-valuenow')).toBe('30');
    expect(article.getAttribute('aria-busy')).toBe('true');
    app.endJob(turnId, summary);
    await within(article).findByText('Read 37 of 37 parts.');
    expect(article.getAttribute('aria-busy')).toBe('false');
    expect(within(article).queryByRole('progressbar')).toBeNull();
    within(article).getByRole('button', { name: 'Source 1: Lease 2023, p. 3' });
    within(article).getByText('Word for word');
    expect(within(article).queryByRole('button', { name: 'Edit the question' })).toBeNull();
    fireEvent.click(within(article).getByRole('button', { name: 'Read again' }));
    await waitFor(() => expect(app.started).toHaveLength(2));
    expect(app.started[1]).toMatchObject({ task });
  });

  it('are stopped, and gone on with', async () => {
    const { app } = await open();
    type('/summarise Lease 2024');
    press('Enter');
    await waitFor(() => expect(app.started).toHaveLength(1));
    expect(app.started[0]!.task).toMatchObject({ scope: { documentIds: [newer.id] } });
    fireEvent.click(await screen.findByRole('button', { name: 'Stop' }));
    await screen.findByText('Stopped. It can go on from here.');
    fireEvent.click(screen.getByRole('button', { name: 'Go on' }));
    await screen.findByText('Reading…');
    app.changeJob(jobOf(app), { state: 'failed', reason: 'The disk is full.' });
    await screen.findByText('The disk is full.');
  });

  it('are searched for every mention by a command that is offered while it is typed', async () => {
    const { app } = await open();
    type('/');
    const options = await screen.findAllByRole('option');
    expect(options.map(({ textContent }) => textContent?.split(/(?<=summarise|mentions|compare)/)[0])).toEqual([
      '/summarise',
      '/mentions',
      '/compare',
    ]);
    press('ArrowDown');
    expect(field().getAttribute('aria-activedescendant')).toBe(screen.getAllByRole('option')[1]!.id);
    press('Escape');
    expect(screen.queryByRole('listbox')).toBeNull();
    type('/mentions the rent');
    press('Enter');
    await waitFor(() => expect(app.started).toHaveLength(1));
    expect(app.started[0]!.task).toEqual({ type: 'mentions', words: 'the rent', scope: { type: 'library' } });
    expect((field() as HTMLTextAreaElement).value).toBe('');
    expect(app.asked).toEqual([]);
  });

  it('leave a question that begins like a command a question', async () => {
    const { app } = await open();
    type('/etc/hosts: what is in it?');
    press('Enter');
    await waitFor(() => expect(app.asked.map(({ question }) => question)).toEqual(['/etc/hosts: what is in it?']));
    expect(app.started).toEqual([]);
  });

  it('are compared, once both are chosen', async () => {
    const { app } = await open();
    type('/compare');
    press('Enter');
    const dialog = await screen.findByRole('dialog', { name: 'Read whole documents' });
    const start = within(dialog).getByRole('button', { name: 'Start' }) as HTMLButtonElement;
    const choose = (group: string, name: string) =>
      fireEvent.click(within(within(dialog).getByRole('group', { name: group })).getByRole('radio', { name }));
    choose('First document', 'Lease 2023');
    expect(start.disabled).toBe(true);
    choose('Second document', 'Lease 2023');
    expect(start.disabled).toBe(true);
    choose('Second document', 'Lease 2024');
    fireEvent.click(start);
    await waitFor(() => expect(app.started).toHaveLength(1));
    expect(app.started[0]!.task).toEqual({ type: 'compare', documents: [lease.id, newer.id] });
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('are a watched folder, by its row or in the dialog', async () => {
    const { app } = await open((fake) => fake.setFolders([makeFolder(1)]));
    fireEvent.click(screen.getByRole('button', { name: 'Read whole documents' }));
    const dialog = await screen.findByRole('dialog');
    fireEvent.click(await within(dialog).findByRole('radio', { name: 'Documents › Folder 1' }));
    fireEvent.click(within(dialog).getByRole('button', { name: 'Every mention' }));
    fireEvent.change(within(dialog).getByRole('textbox', { name: 'What is mentioned?' }), {
      target: { value: 'rent' },
    });
    fireEvent.click(within(dialog).getByRole('button', { name: 'Start' }));
    const scope = { type: 'folder', folderId: makeFolder(1).id };
    await waitFor(() =>
      expect(app.started.map((one) => one.task)).toEqual([{ type: 'mentions', words: 'rent', scope }]),
    );
    fireEvent.click(screen.getByRole('button', { name: 'Library' }));
    const more = await screen.findByRole('button', { name: 'More for the folder “Documents › Folder 1”' });
    fireEvent.keyDown(more, { key: 'Enter' });
    fireEvent.click(await screen.findByRole('menuitem', { name: 'Summarise' }));
    await waitFor(() => expect(app.started[1]!.task).toEqual({ type: 'summarise', scope }));
  });

  it('tell when they are done while one looks elsewhere, also after a reload of the window', async () => {
    const { app } = await open();
    type('/summarise Lease 2024');
    press('Enter');
    await waitFor(() => expect(app.started).toHaveLength(1));
    await screen.findByText('Waiting for the work before it');
    fireEvent.click(screen.getByRole('button', { name: 'Settings' }));
    app.endJob(jobOf(app), summary);
    await screen.findByText('Whole documents were read: the result is there.');
    fireEvent.click(screen.getByRole('button', { name: 'Show' }));
    await screen.findByText('Read 37 of 37 parts.');
  });

  it('show a long list of quotes in part', async () => {
    const many = Array.from({ length: 30 }, (_, n) => makeCitation(n + 1, passage, passage.text));
    const { app } = await open();
    type('/summarise Lease 2023');
    press('Enter');
    await waitFor(() => expect(app.started).toHaveLength(1));
    app.endJob(jobOf(app), { ...summary, citations: many });
    const quotes = await screen.findByRole('region', { name: 'Quotes' });
    expect(within(quotes).getAllByRole('listitem')).toHaveLength(12);
    fireEvent.click(within(quotes).getByRole('button', { name: 'Show all 30 quotes' }));
    expect(within(quotes).getAllByRole('listitem')).toHaveLength(30);
  });
});

describe('commands', () => {
  const names = { summarise: 'résumer', mentions: 'mentions', compare: 'comparer' };
  it.each([
    ['/', ['summarise', 'mentions', 'compare']],
    ['/RÉS', ['summarise']],
    ['/summ', ['summarise']],
    ['/summarize the book', ['summarise']],
    ['/comp', ['compare']],
    ['/comp x', []],
    ['/nothing', []],
    ['a / b', []],
    ['', []],
  ] as const)('of %j', (draft, types) => {
    expect(slashCommands(draft, (name) => names[name]).map((command) => command.type)).toEqual(types);
  });
  it('keep the words behind them', () => {
    expect(slashCommands('/mentions  Eiffel Tower ', (name) => names[name])).toEqual([
      { type: 'mentions', words: 'Eiffel Tower' },
    ]);
  });
});
