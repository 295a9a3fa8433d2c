// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import type { ChatId } from '../../app/contract/types.ts';
import {
  type FakeApp,
  makeAnswer,
  makeCitation,
  makeDocument,
  makePassage,
  makeTurn,
  Tape,
} from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

const lease = makeDocument(1, { title: 'Lease', source: 'lease.docx', kind: 'docx' });
const found = makePassage(11, lease, 'Either party may end it. Either party may sell it.', { paragraph: 7 });

/** Tapes that have come to their end, one for each answer. */
function answering(app: FakeApp, ...texts: string[]): void {
  app.setDocument(lease);
  for (const text of texts) {
    const tape = new Tape<AskEvent>();
    tape.push(
      { type: 'sources', passages: [found], retrieveMs: 1 },
      { type: 'answer', answer: makeAnswer(text, [makeCitation(1, found, 'Either party may end it.')]) },
    );
    tape.end();
    app.script.answers.push(tape);
  }
}

async function ask(question: string, answer: string): Promise<void> {
  const user = userEvent.setup();
  await user.type(await screen.findByRole('textbox', { name: 'Your question' }), `${question}{Enter}`);
  await screen.findByText(answer);
}

describe('a question that is edited', () => {
  it('is asked in its own place; its versions stand beside each other, with what followed each', async () => {
    const { app } = openWindow((app) => answering(app, 'One.', 'Two.', 'Three.'));
    await ask('First?', 'One.');
    await ask('Second?', 'Two.');
    const first = screen.getByRole('article', { name: 'First?' });
    fireEvent.click(within(first).getByRole('button', { name: 'Edit the question' }));
    const field = screen.getByRole('textbox', { name: 'The question, edited' });
    expect((field as HTMLTextAreaElement).value).toBe('First?');
    expect(document.activeElement).toBe(field);
    fireEvent.change(field, { target: { value: 'First, edited?' } });
    fireEvent.keyDown(field, { key: 'Enter' });
    await screen.findByText('Three.');
    expect(app.asked[2]).toMatchObject({ question: 'First, edited?', sources: 'search' });
    expect(app.asked[2]?.insteadOf).toBeTruthy();
    expect(screen.queryByText('Two.')).toBe(null);
    const versions = within(screen.getByRole('article', { name: 'First, edited?' })).getByRole('group', {
      name: 'Versions of this question',
    });
    expect(versions.textContent).toContain('2/2');
    expect(within(versions).getByRole('button', { name: 'Next version' })).toHaveProperty('disabled', true);
    fireEvent.click(within(versions).getByRole('button', { name: 'Previous version' }));
    await screen.findByText('Two.');
    expect(screen.getByText('One.')).toBeTruthy();
    expect(screen.queryByText('Three.')).toBe(null);
    fireEvent.click(screen.getByRole('button', { name: 'Next version' }));
    await screen.findByText('Three.');
  });

  it('is left as it was by Escape, and takes no key of a word that is being composed', async () => {
    const { app } = openWindow((app) => answering(app, 'One.'));
    await ask('First?', 'One.');
    fireEvent.click(screen.getByRole('button', { name: 'Edit the question' }));
    const field = screen.getByRole('textbox', { name: 'The question, edited' });
    fireEvent.change(field, { target: { value: 'けいやく' } });
    fireEvent.keyDown(field, { key: 'Enter', isComposing: true });
    fireEvent.keyDown(field, { key: 'Enter', keyCode: 229 });
    fireEvent.keyDown(field, { key: 'Escape', keyCode: 229 });
    expect((field as HTMLTextAreaElement).value).toBe('けいやく');
    fireEvent.keyDown(field, { key: 'Escape' });
    expect(screen.getByRole('heading', { name: 'First?' })).toBeTruthy();
    await waitFor(() => expect(document.activeElement?.getAttribute('aria-label')).toBe('Edit the question'));
    expect(app.asked).toHaveLength(1);
  });
});

describe('an answer that is wanted again', () => {
  it.each([
    ['From the same passages', 'same'],
    ['From more passages', 'more'],
    ['With a new search', 'search'],
  ])('%s', async (item, sources) => {
    const { app } = openWindow((app) => answering(app, 'One.', 'Two.'));
    await ask('First?', 'One.');
    const user = userEvent.setup();
    await user.click(screen.getByRole('button', { name: 'Ask again' }));
    await user.click(await screen.findByRole('menuitem', { name: item }));
    await screen.findByText('Two.');
    expect(screen.queryByText('One.')).toBe(null);
    expect(app.asked[1]).toMatchObject({ question: 'First?', sources });
    expect(app.asked[1]?.insteadOf).toBeTruthy();
    expect(screen.getAllByRole('article')).toHaveLength(1);
  });

  it('cannot be had while another is being written', async () => {
    openWindow((app) => {
      answering(app, 'One.');
      app.script.answers.push(new Tape<AskEvent>());
    });
    await ask('First?', 'One.');
    const user = userEvent.setup();
    await user.type(screen.getByRole('textbox', { name: 'Your question' }), 'Second?{Enter}');
    await screen.findByText('Searching your documents…');
    for (const name of ['Ask again', 'Edit the question'])
      for (const button of screen.getAllByRole('button', { name })) expect(button).toHaveProperty('disabled', true);
  });

  it('takes the place of a question that failed before it had begun', async () => {
    const { app } = openWindow((app) => answering(app));
    const user = userEvent.setup();
    await user.type(await screen.findByRole('textbox', { name: 'Your question' }), 'First?{Enter}');
    await screen.findByText(/The engine ended/);
    answering(app, 'Now.');
    await user.click(screen.getByRole('button', { name: 'Ask again' }));
    await screen.findByText('Now.');
    expect(screen.getAllByRole('article')).toHaveLength(1);
  });
});

describe('a saved answer', () => {
  const savedChat = (app: FakeApp): void => {
    const turn = makeTurn(50, 'Who may end it?', makeAnswer('Both [1].', [makeCitation(1, found, 'Either party')]));
    turn.numFound = 1;
    app.setDocument(lease);
    app.texts.set(lease.id, [found]);
    app.found.set(turn.id, [found]);
    const id = `chat_${'5'.repeat(16)}` as ChatId;
    app.chats.set(id, { chat: { id, title: 'Saved', numTurns: 1, updatedAtMs: 1 }, turns: [turn] });
  };

  it('shows its passages when they are wanted', async () => {
    openWindow(savedChat);
    fireEvent.click(await screen.findByRole('button', { name: 'Saved' }));
    fireEvent.click(await screen.findByRole('button', { name: '1 passage' }));
    await screen.findByRole('button', { name: '1 passage from 1 document' });
    expect(screen.getByText(found.text)).toBeTruthy();
  });

  it('opens a quote with the words around it, as a fresh one does', async () => {
    const { quoth } = openWindow(savedChat);
    fireEvent.click(await screen.findByRole('button', { name: 'Saved' }));
    fireEvent.click(await screen.findByRole('button', { name: /^Source 1/ }));
    await screen.findByRole('complementary', { name: 'Reader: Lease' });
    expect(quoth.view.getState().reading).toMatchObject({ quote: 'Either party', passageText: found.text });
  });

  it.each([
    ['Save as Word document', 'docx'],
    ['Save as Markdown', 'markdown'],
    ['Save as web page', 'html'],
  ])('is saved as a file: %s', async (item, format) => {
    const { calls } = openWindow(savedChat);
    const user = userEvent.setup();
    await user.click(await screen.findByRole('button', { name: 'More for “Saved”' }));
    await user.click(await screen.findByRole('menuitem', { name: item }));
    await screen.findByText(`“Saved.${format}” is among your downloads.`);
    expect(calls.saved[0]?.name).toBe(`Saved.${format}`);
    const words = JSON.parse(new TextDecoder().decode(calls.saved[0]?.bytes) || '{}');
    expect(words).toMatchObject({ from: 'From Quoth, {{date}}', page: 'p. {{page}}', quotes: 'Quotes' });
  });
});

describe('the search in chats', () => {
  it('shows where the words stand, and opens the chat at that turn', async () => {
    const { app, quoth } = openWindow((app) => {
      app.setDocument(lease);
      for (const n of [1, 2]) {
        const id = `chat_${String(n).repeat(16)}` as ChatId;
        const turns = [
          makeTurn(10 * n, `Windmill ${n}?`, makeAnswer(`Answer ${n}.`)),
          makeTurn(10 * n + 1, 'And then?'),
        ];
        app.chats.set(id, { chat: { id, title: `Chat ${n}`, numTurns: 2, updatedAtMs: n }, turns });
      }
    });
    const user = userEvent.setup();
    const field = await screen.findByRole('searchbox', { name: 'Search in chats' });
    await user.type(field, 'mill 2');
    await screen.findByText('1 chat found');
    expect(screen.queryByRole('button', { name: 'Chat 1' })).toBe(null);
    const match = screen.getByRole('button', { name: /^In a question:\s*Wind\s*mill 2/ });
    expect(match.querySelector('mark')?.textContent).toBe('mill 2');
    await user.click(match);
    await screen.findByText('Answer 2.');
    await waitFor(() => expect(document.activeElement?.getAttribute('aria-label')).toBe('Windmill 2?'));
    expect(quoth.view.getState().wantedTurn).toBe(null);
    expect(app.chats.size).toBe(2);
    fireEvent.keyDown(field, { key: 'Escape' });
    await screen.findByRole('button', { name: 'Chat 1' });
    expect((field as HTMLInputElement).value).toBe('');
  });

  it('takes no Escape of a word that is being composed', async () => {
    openWindow((app) => {
      const id = `chat_${'1'.repeat(16)}` as ChatId;
      app.chats.set(id, { chat: { id, title: 'Chat', numTurns: 0, updatedAtMs: 1 }, turns: [] });
    });
    const field = await screen.findByRole('searchbox', { name: 'Search in chats' });
    fireEvent.change(field, { target: { value: 'けい' } });
    fireEvent.keyDown(field, { key: 'Escape', keyCode: 229 });
    expect((field as HTMLInputElement).value).toBe('けい');
  });
});
