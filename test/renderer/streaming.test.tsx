// @vitest-environment jsdom
/** What the window does for each word that comes, and what it leaves alone. */
import { act, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import type { ChatId } from '../../app/contract/types.ts';
import { makeAnswer, makeDocument, makePassage, makeTurn, Tape } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

/** The texts that were read as Markdown, in order. */
const read: string[] = [];
vi.mock('react-markdown', async (original) => {
  const { default: Markdown, ...rest } = await original<typeof import('react-markdown')>();
  return {
    ...rest,
    default: (props: Parameters<typeof Markdown>[0]) => {
      read.push(String(props.children));
      return <Markdown {...props} />;
    },
  };
});

beforeEach(() => {
  read.length = 0;
});

const lease = makeDocument(1, { title: 'Lease', source: 'lease.docx', kind: 'docx' });

async function startWriting() {
  const tape = new Tape<AskEvent>();
  const window = openWindow((app) => {
    const id = `chat_${'1'.repeat(16)}` as ChatId;
    const turns = [
      makeTurn(51, 'First?', makeAnswer('The first answer.')),
      makeTurn(52, 'Second?', makeAnswer('The second.')),
    ];
    app.setDocument(lease);
    app.chats.set(id, { chat: { id, title: 'Saved', numTurns: 2, updatedAtMs: 1 }, turns });
    app.script.answers.push(tape);
  });
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: 'Saved' }));
  await screen.findByText('The second.');
  await user.type(screen.getByRole('textbox', { name: 'Your question' }), 'Third?{Enter}');
  tape.push({ type: 'sources', passages: [makePassage(1, lease, 'x')], retrieveMs: 1 });
  await screen.findByText('Reading the passages…');
  return { ...window, tape, user };
}

describe('while an answer is written', () => {
  it('only its last block is read again, and not for each word', async () => {
    const { tape } = await startWriting();
    const paragraphs = Array.from({ length: 10 }, (_, n) => `Paragraph ${n} ${'has some words '.repeat(10)}.`);
    const words = paragraphs.join('\n\n').match(/\S+\s*/g) ?? [];
    expect(words.length).toBeGreaterThan(300);
    read.length = 0;
    for (let from = 0; from < words.length; from += 10) {
      tape.push(...words.slice(from, from + 10).map((text) => ({ type: 'text' as const, text })));
      const last = words[Math.min(from + 9, words.length - 1)]?.trim() ?? '';
      await act(async () => undefined);
      expect(last).not.toBe('');
    }
    await screen.findByText(/^Paragraph 9 /);
    tape.push({ type: 'answer', answer: makeAnswer(paragraphs.join('\n\n')) });
    tape.end();
    await waitFor(() => expect(screen.getAllByText(/First word after/)).toHaveLength(3));
    // Of the turns that were there before, nothing.
    expect(read.filter((text) => /first answer|The second/.test(text))).toEqual([]);
    // Twice for each drawing (React draws what is deferred a second time), never once for each word.
    expect(read.length).toBeLessThan(words.length / 2);
    // A block that is whole is not read again.
    for (const [index, paragraph] of paragraphs.slice(0, -1).entries()) {
      const times = read.filter((text) => text.trim() === paragraph.trim());
      expect(times.length, `paragraph ${index}`).toBeLessThanOrEqual(2);
    }
  });

  it('what is typed meanwhile reads no answer again', async () => {
    const { tape, user } = await startWriting();
    tape.push({ type: 'text', text: 'Some words. ' });
    await screen.findByText('Some words.');
    await act(async () => undefined);
    read.length = 0;
    await user.type(screen.getByRole('textbox', { name: 'Your question' }), 'And what comes next?');
    expect(read).toEqual([]);
  });

  it('the changes of a library read no answer again', async () => {
    const { tape, app } = await startWriting();
    tape.push({ type: 'text', text: 'Some words. ' });
    await screen.findByText('Some words.');
    read.length = 0;
    for (let n = 2; n < 200; n++) app.setDocument(makeDocument(n));
    await screen.findByPlaceholderText(/199 documents/);
    expect(read).toEqual([]);
  });
});
