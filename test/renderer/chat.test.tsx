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
const quote = 'three months’ notice to the end of a quarter';
const found = makePassage(11, lease, `Either party may end it with ${quote}.`, { paragraph: 7 });

/** A library of one document, and a tape that answers the next question. */
function withLease(app: FakeApp): Tape<AskEvent> {
  app.setDocument(lease);
  app.texts.set(lease.id, [makePassage(10, lease, 'The parties.'), found, makePassage(12, lease, 'Signed.')]);
  const tape = new Tape<AskEvent>();
  app.script.answers.push(tape);
  return tape;
}

async function ask(question: string): Promise<void> {
  const user = userEvent.setup();
  await user.type(await screen.findByRole('textbox', { name: 'Your question' }), `${question}{Enter}`);
}

describe('a question', () => {
  it('shows what was found, then the words as they come, then the checked answer', async () => {
    let tape = new Tape<AskEvent>();
    const { app } = openWindow((app) => {
      tape = withLease(app);
    });
    await ask('How does it end?');
    await screen.findByText('Searching your documents…');
    tape.push({ type: 'sources', passages: [found], retrieveMs: 12, searchedFor: 'How long?\n(Lease)' });
    await screen.findByText('1 passage from 1 document');
    screen.getByText('Searched: How long? (Lease)');
    tape.push({ type: 'text', text: 'With notice' });
    await screen.findByText('With notice');
    tape.push({ type: 'text', text: ' of three months [1].' });
    await screen.findByText('1'); // Only the whole answer says what a number stands for: no link before.
    expect(screen.queryByRole('button', { name: /^Source 1/ })).toBe(null);
    tape.push({ type: 'answer', answer: makeAnswer('With notice [1].', [makeCitation(1, found, quote)]) });
    tape.end();
    const quotes = await screen.findByRole('region', { name: 'Quotes' });
    expect(screen.getByRole('button', { name: /^Source 1: Lease, ¶ 7/ })).toBeTruthy();
    expect(within(quotes).getByText(quote)).toBeTruthy();
    expect(within(quotes).getByText('Word for word')).toBeTruthy();
    expect(
      screen.getByText(
        /First word after 3.2 s: search 41 ms \+ reading 2.9 s \+ writing 259 ms · 17.3 tokens\/s · 73 % of the memory’s speed · 820 of 1,493 tokens reused/,
      ),
    ).toBeTruthy();
    expect(app.asked.map(({ question }) => question)).toEqual(['How does it end?']);
  });

  it('is told to a screen reader once, when its answer is whole', async () => {
    let tape = new Tape<AskEvent>();
    const { container } = openWindow((app) => {
      tape = withLease(app);
    });
    await ask('How?');
    tape.push({ type: 'sources', passages: [found], retrieveMs: 12 }, { type: 'text', text: 'Half a sen' });
    await screen.findByText('Half a sen');
    const live = container.querySelector('.sr-only[aria-live="polite"]');
    expect(live?.textContent).toBe('');
    tape.push({ type: 'answer', answer: makeAnswer('Half a sentence, whole.') });
    tape.end();
    await waitFor(() => expect(live?.textContent).toBe('Half a sentence, whole.'));
  });

  it('goes to the same chat as the one before', async () => {
    const { app } = openWindow((app) => {
      for (let n = 0; n < 2; n++) {
        const tape = withLease(app);
        tape.push({ type: 'answer', answer: makeAnswer(`Answer ${n}`) });
        tape.end();
      }
    });
    await ask('First?');
    await screen.findByText('Answer 0');
    await ask('Second?');
    await screen.findByText('Answer 1');
    expect(app.asked[0]?.chatId).toBe(null);
    expect(app.asked[1]?.chatId).toBe([...app.chats.keys()][0]);
  });

  it('keeps its words when the answer fails, and says why', async () => {
    let tape = new Tape<AskEvent>();
    openWindow((app) => {
      tape = withLease(app);
    });
    await ask('How?');
    tape.push({ type: 'sources', passages: [found], retrieveMs: 1 }, { type: 'text', text: 'With not' });
    await screen.findByText('With not');
    tape.end(new Error('a fault with a path in it: /home/someone'));
    await screen.findByText(/Something went wrong inside Quoth/);
    expect(screen.getByText('With not')).toBeTruthy();
    expect(document.body.textContent).not.toContain('/home/someone');
    expect(screen.getByRole('button', { name: 'Ask again' })).toBeTruthy();
  });
});

describe('stopping', () => {
  it('cancels while the first word is awaited', async () => {
    const { app } = openWindow((app) => void withLease(app));
    await ask('How?');
    await screen.findByText('Searching your documents…');
    await waitFor(() => expect(app.asked).toHaveLength(1));
    fireEvent.click(screen.getByRole('button', { name: 'Stop' }));
    await waitFor(() => expect(app.asked[0]?.signal.aborted).toBe(true));
    await screen.findByText('Stopped before the first word.');
  });

  it('by Escape keeps what was written, and takes its quotes once they are checked and saved', async () => {
    let tape = new Tape<AskEvent>();
    openWindow((app) => {
      tape = withLease(app);
      app.script.onStopped = (turn) => {
        turn.answer = makeAnswer('With notice [1]', [makeCitation(1, found, quote)], { end: 'stopped' });
      };
    });
    await ask('How?');
    tape.push({ type: 'sources', passages: [found], retrieveMs: 1 }, { type: 'text', text: 'With notice [1]' });
    await screen.findByText(/With notice/);
    fireEvent.keyDown(screen.getByRole('textbox', { name: 'Your question' }), { key: 'Escape' });
    await screen.findByText('Stopped. What was written is kept.');
    expect(screen.getByText(/With notice/)).toBeTruthy();
    expect(await screen.findByText(quote)).toBeTruthy();
  });
});

describe('the keys of the composer', () => {
  it('do not send a word that is being composed', async () => {
    const { app } = openWindow((app) => void withLease(app));
    const field = await screen.findByRole('textbox', { name: 'Your question' });
    fireEvent.compositionStart(field);
    fireEvent.change(field, { target: { value: 'けいやく' } });
    fireEvent.keyDown(field, { key: 'Enter', isComposing: true });
    fireEvent.compositionEnd(field);
    fireEvent.keyDown(field, { key: 'Enter', keyCode: 229 });
    expect((field as HTMLTextAreaElement).value).toBe('けいやく');
    expect(app.asked).toEqual([]);
    fireEvent.keyDown(field, { key: 'Enter', keyCode: 13 });
    await waitFor(() => expect(app.asked.map(({ question }) => question)).toEqual(['けいやく']));
  });

  it('make a new line with Shift', async () => {
    const { app } = openWindow((app) => void withLease(app));
    const user = userEvent.setup();
    const field = await screen.findByRole('textbox', { name: 'Your question' });
    await user.type(field, 'one{Shift>}{Enter}{/Shift}two');
    expect((field as HTMLTextAreaElement).value).toBe('one\ntwo');
    expect(app.asked).toEqual([]);
  });
});

describe('a citation', () => {
  const openAnswer = async (): Promise<void> => {
    openWindow((app) => {
      const tape = withLease(app);
      tape.push({
        type: 'answer',
        answer: makeAnswer('With notice [1], says nobody [7].', [makeCitation(1, found, quote)]),
      });
      tape.end();
    });
    await ask('How?');
    await screen.findByRole('button', { name: /^Source 1/ }); // the text comes after the quotes: it is deferred
  };

  it('opens the reader at its passage with the quote marked, and Escape gives the focus back', async () => {
    await openAnswer();
    const chip = screen.getByRole('button', { name: /^Source 1: Lease, ¶ 7/ });
    chip.focus();
    fireEvent.click(chip);
    const reader = await screen.findByRole('complementary', { name: 'Reader: Lease' });
    await waitFor(() => expect(reader.querySelector('mark')?.textContent).toBe(quote));
    expect(reader.querySelector('[aria-current="true"]')?.textContent).toContain('¶ 7');
    fireEvent.keyDown(reader, { key: 'Escape' });
    await waitFor(() => expect(screen.queryByRole('complementary')).toBe(null));
    expect(document.activeElement).toBe(chip);
  });

  it('shows its quote to the focus', async () => {
    await openAnswer();
    const chip = screen.getByRole('button', { name: /^Source 1/ });
    fireEvent.focus(chip);
    const tip = await screen.findByRole('tooltip');
    expect(tip.textContent).toContain(quote);
  });

  it('whose number names no source is no link', async () => {
    await openAnswer();
    expect(screen.queryByRole('button', { name: /^Source 7/ })).toBe(null);
    expect(screen.getByText('[7]')).toBeTruthy();
  });
});

describe('the looks of an answer', () => {
  const show = async (part: Parameters<typeof makeAnswer>[2], citations = [makeCitation(1, found, quote, false)]) => {
    openWindow((app) => {
      const tape = withLease(app);
      tape.push({ type: 'answer', answer: makeAnswer('Words.', citations, part) });
      tape.end();
    });
    await ask('How?');
    await screen.findByText('Words.');
  };

  it('say that the documents do not hold it', async () => {
    await show({ refused: true }, []);
    expect(screen.getByText('Your documents do not seem to hold the answer.')).toBeTruthy();
  });

  it('say that it is made of quotes, with a way to a model', async () => {
    await show({ writtenBy: 'quotes' });
    expect(screen.getByText('Quotes only.')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Choose a model' }));
    await screen.findByRole('heading', { name: 'Models' });
  });

  it('say that it was cut', async () => {
    await show({ end: 'cut' });
    expect(screen.getByText(/The engine ended while it was answering/)).toBeTruthy();
  });

  it('say that a quote was not found', async () => {
    await show({});
    expect(screen.getByText('Not found word for word')).toBeTruthy();
    expect(screen.queryByText('Word for word')).toBe(null);
  });
});

describe('what can be copied', () => {
  it('is a block of code, as it was written', async () => {
    const user = userEvent.setup();
    openWindow((app) => {
      const tape = withLease(app);
      tape.push({ type: 'answer', answer: makeAnswer('So:\n\n```sql\nSELECT *\nFROM leases;\n```') });
      tape.end();
    });
    await user.type(await screen.findByRole('textbox', { name: 'Your question' }), 'How?{Enter}');
    await user.click(await screen.findByRole('button', { name: 'Copy the code' }));
    await screen.findByRole('button', { name: 'Copied' });
    expect(await navigator.clipboard.readText()).toBe('SELECT *\nFROM leases;');
  });
});

describe('saved chats', () => {
  it('say of a question without an answer that it has none, and ask it again', async () => {
    const { app } = openWindow((app) => {
      const tape = withLease(app);
      tape.push({ type: 'answer', answer: makeAnswer('Now it has one.') });
      tape.end();
      const id = `chat_${'9'.repeat(16)}` as ChatId;
      app.chats.set(id, {
        chat: { id, title: 'Broken off', numTurns: 1, updatedAtMs: 1 },
        turns: [makeTurn(9_999, 'Why?')],
      });
    });
    fireEvent.click(await screen.findByRole('button', { name: 'Broken off' }));
    await screen.findByText('This question came to its end before the first word.');
    fireEvent.click(screen.getByRole('button', { name: 'Ask again' }));
    await screen.findByText('Now it has one.');
    expect(app.asked.map(({ question }) => question)).toEqual(['Why?']);
  });

  it('are opened, renamed, deleted and brought back', async () => {
    const { app } = openWindow((app) => {
      const tape = withLease(app);
      tape.push({ type: 'answer', answer: makeAnswer('An answer.') });
      tape.end();
    });
    await ask('What is it?');
    await screen.findByText('An answer.');
    const user = userEvent.setup();
    const list = await screen.findByRole('navigation', { name: 'Chats' });
    await user.click(screen.getByRole('button', { name: 'New chat' }));
    await waitFor(() => expect(screen.queryByText('An answer.')).toBe(null));
    await user.click(within(list).getByRole('button', { name: 'What is it?' }));
    await screen.findByText('An answer.');

    await user.click(within(list).getByRole('button', { name: 'More for “What is it?”' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Rename' }));
    const field = await screen.findByRole('textbox', { name: 'New name of the chat' });
    await user.clear(field);
    await user.type(field, 'The lease{Enter}');
    await within(list).findByRole('button', { name: 'The lease' });

    await user.click(within(list).getByRole('button', { name: 'More for “The lease”' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Delete' }));
    await screen.findByText('“The lease” is deleted.');
    expect(app.chats.size).toBe(0);
    await user.click(screen.getByRole('button', { name: 'Undo' }));
    await waitFor(() => expect(app.chats.size).toBe(1));
    await screen.findByText('An answer.');
  });
});
