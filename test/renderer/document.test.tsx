// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import type { ChatId } from '../../app/contract/types.ts';
import { type FakeApp, makeDocument, makePassage, makeTurn } from '../fakes/app-handlers.ts';
import { makeCollection } from '../fakes/shelf.ts';
import { openWindow } from './open-window.tsx';

const lease = makeDocument(1, { title: 'Lease', source: 'lease.pdf', kind: 'pdf', numPages: 12, numPassages: 3 });
const contracts = makeCollection(1, { name: 'Contracts' });

async function openPage(prepare: (app: FakeApp) => void = () => undefined, kind?: 'electron' | 'loopback') {
  const opened = openWindow((app) => {
    app.setDocument(lease);
    app.texts.set(lease.id, [
      { ...makePassage(1, lease, 'The rent is 900 euros.', { page: 1 }), heading: '1. Rent' } as never,
      { ...makePassage(2, lease, 'It is due on the first day.', { page: 1 }), heading: '1. Rent' } as never,
      { ...makePassage(3, lease, 'The lease ends in March.', { page: 2 }), heading: '2. End' } as never,
    ]);
    prepare(app);
  }, kind);
  fireEvent.click(await screen.findByRole('button', { name: 'Library' }));
  fireEvent.click(await screen.findByRole('button', { name: 'Lease' }));
  await screen.findByRole('heading', { level: 1, name: 'Lease' });
  return { ...opened, user: userEvent.setup() };
}

const factOf = (name: string): string | null | undefined =>
  screen.getByText(name, { selector: 'dt' }).nextElementSibling?.textContent;

describe('a document’s own page', () => {
  it('tells all that is known of it', async () => {
    await openPage();
    await waitFor(() => expect(factOf('Language')).toBe('English'));
    expect(['Type', 'Pages', 'Passages', 'Size', 'Kept by Quoth', 'Folder', 'State'].map(factOf)).toEqual([
      'PDF',
      '12',
      '3',
      '12.0 kB',
      '48.0 kB',
      'Documents › Folder 1',
      'Ready',
    ]);
    expect(document.activeElement).toBe(screen.getByRole('heading', { level: 1 }));
  });

  it('shows its text, each title and each page named once', async () => {
    await openPage();
    await screen.findByText('The rent is 900 euros.');
    expect(screen.getAllByRole('heading', { level: 3 }).map(({ textContent }) => textContent)).toEqual([
      '1. Rent',
      '2. End',
    ]);
    expect(screen.getAllByText(/^p\. \d$/).map(({ textContent }) => textContent)).toEqual(['p. 1', 'p. 2']);
  });

  it('finds words in it, and steps from place to place', async () => {
    const { user } = await openPage();
    await screen.findByText('The rent is 900 euros.');
    await user.keyboard('{Control>}f{/Control}');
    expect(document.activeElement).toBe(screen.getByRole('searchbox', { name: 'Find in this document' }));
    await user.keyboard('THE');
    await screen.findByText('1 of 3');
    await user.keyboard('{Enter}');
    await screen.findByText('2 of 3');
    await user.keyboard('{Shift>}{Enter}{Enter}{/Shift}');
    await screen.findByText('3 of 3');
    expect(document.querySelectorAll('mark')).toHaveLength(3);
    await user.keyboard('zzz');
    await screen.findByText('Not found');
  });

  it('leads to the answers that quote it', async () => {
    const chatId = 'chat_0000000000000007' as ChatId;
    const turn = makeTurn(7, 'How much is the rent?');
    await openPage((app) => {
      app.chats.set(chatId, { chat: { id: chatId, title: 'Rents', numTurns: 1, updatedAtMs: 1 }, turns: [turn] });
      app.citing.set(lease.id, [{ chatId, title: 'Rents', turnId: turn.id, question: turn.question, askedAtMs: 1 }]);
    });
    const section = await screen.findByRole('region', { name: 'Quoted in' });
    fireEvent.click(await within(section).findByRole('button', { name: /How much is the rent/ }));
    await screen.findByRole('article', { name: 'How much is the rent?' });
  });

  it('joins and leaves collections', async () => {
    const { app } = await openPage((fake) => fake.setCollections([contracts]));
    fireEvent.keyDown(screen.getByRole('button', { name: 'Add to collection' }), { key: 'Enter' });
    fireEvent.click(await screen.findByRole('menuitemcheckbox', { name: 'Contracts' }));
    fireEvent.click(await screen.findByRole('button', { name: 'Take out of “Contracts”' }));
    await waitFor(() => expect(app.documents.get(lease.id)!.collections).toEqual([]));
  });

  it('is read anew, asked about, read beside, and leads back to the library when it is removed', async () => {
    const { app, user } = await openPage();
    await user.click(screen.getByRole('button', { name: 'Read anew' }));
    await waitFor(() => expect(app.retriedAll).toEqual([{ documentIds: [lease.id], anew: true }]));
    await user.click(screen.getByRole('button', { name: 'Read it beside' }));
    await screen.findByRole('complementary', { name: 'Reader: Lease' });
    await user.click(screen.getAllByRole('button', { name: 'Remove' })[0]!);
    await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Remove' }));
    await screen.findByRole('heading', { name: 'Library' });
    // Neither its page nor its reader stays.
    expect(screen.queryByRole('complementary')).toBe(null);
    expect(app.removedAll).toEqual([[lease.id]]);
  });

  it('shows where its file lies, in the shell that can, and says when it is not there', async () => {
    const { quoth, user } = await openPage();
    await waitFor(() => expect(factOf('Language')).toBe('English'));
    expect(screen.queryByRole('button', { name: 'Show in folder' })).toBe(null);
    const asked: string[] = [];
    quoth.shell.showInFolder = async (id) => {
      asked.push(id);
      return false;
    };
    quoth.view.getState().show('library');
    fireEvent.click(await screen.findByRole('button', { name: 'Lease' }));
    await user.click(await screen.findByRole('button', { name: 'Show in folder' }));
    await screen.findByText('The file is not where it was.');
    expect(asked).toEqual([lease.id]);
  });

  it('of one that failed says why, and what helps', async () => {
    const { app } = await openPage();
    app.setDocument({ ...lease, state: 'failed', problem: 'locked', reason: 'x', numPassages: 0 });
    await waitFor(() => expect(factOf('State')).toMatch(/^It could not be opened\. Close the program/));
    screen.getByRole('button', { name: 'Try again: “Lease”' });
    expect(screen.queryByRole('button', { name: 'Ask about it' })).toBe(null);
  });

  it('opens from the menu of the reader, and goes back to where one was', async () => {
    const { quoth, user } = await openPage();
    await user.click(screen.getByRole('button', { name: 'Read it beside' }));
    await screen.findByRole('complementary');
    quoth.view.getState().show('chat');
    const reader = await screen.findByRole('complementary');
    fireEvent.keyDown(within(reader).getByRole('button', { name: 'Whole document: “Lease”' }), { key: 'Enter' });
    fireEvent.click(await screen.findByRole('menuitem', { name: 'About this document' }));
    await screen.findByRole('heading', { level: 1, name: 'Lease' });
    await user.click(screen.getByRole('button', { name: 'Back' }));
    await screen.findByRole('textbox', { name: 'Your question' });
  });
});
