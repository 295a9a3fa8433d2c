// @vitest-environment jsdom
/** The proof of an answer: what a sentence shows of it, and where a citation leads. */
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import type { Answer, ChatId } from '../../app/contract/types.ts';
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

const rents = makeDocument(1, { title: 'Rents', source: 'rents.xlsx', kind: 'xlsx' });
const rows = ['City | Rent 2023 | Rent 2024', 'Oslo | 1,200 | 1,250', 'Paris | 1,250 | 2,100'];
const sheet = makePassage(11, rents, rows.join('\n'), { paragraph: 1, label: 'Sheet Prices B4:D5' });
const row = rows[1] ?? '';

async function openSaved(answer: Answer, prepare: (app: FakeApp) => void = () => undefined) {
  const id = `chat_${'1'.repeat(16)}` as ChatId;
  const window = openWindow((app) => {
    app.setDocument(rents);
    app.texts.set(rents.id, [sheet]);
    app.chats.set(id, {
      chat: { id, title: 'Saved', numTurns: 1, updatedAtMs: 1 },
      turns: [makeTurn(1, 'What is the rent?', answer)],
    });
    prepare(app);
  });
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Saved' }));
  await screen.findByRole('article', { name: 'What is the rent?' });
  return window;
}

describe('a citation of a spreadsheet', () => {
  it('opens the cells as a grid, with the row and the cell marked', async () => {
    const citation = { ...makeCitation(1, sheet, row), cell: 'Rent 2024: 1,250' };
    await openSaved(makeAnswer('It is 1,250 [1].', [citation]));
    fireEvent.click(await screen.findByRole('button', { name: /^Source 1: Rents, Sheet Prices B4:D5/ }));
    const cells = await screen.findByRole('region', { name: 'Cells' });
    const names = within(cells)
      .getAllByRole('columnheader')
      .map((one) => one.textContent);
    expect(names).toEqual(['B', 'C', 'D', 'City', 'Rent 2023', 'Rent 2024']);
    expect(
      within(cells)
        .getAllByRole('rowheader')
        .map((one) => one.textContent),
    ).toEqual(['4', '5']);
    const marked = [...cells.querySelectorAll('[data-mark]')].map((one) => [
      one.getAttribute('data-mark'),
      one.textContent,
    ]);
    expect(marked).toEqual([
      ['row', 'Oslo'],
      ['row', '1,200'],
      ['cell', '1,250'],
    ]);
  });

  it('marks nothing where the quote cannot be placed for certain', async () => {
    await openSaved(makeAnswer('It is 1,250 [1].', [makeCitation(1, sheet, '1,250')]));
    fireEvent.click(await screen.findByRole('button', { name: /^Source 1/ }));
    const cells = await screen.findByRole('region', { name: 'Cells' });
    expect(cells.querySelectorAll('[data-mark]')).toHaveLength(0);
  });
});

describe('a sentence without a quote', () => {
  const text = 'It is 1,250 [1]. It will *rise* next \\* year. It \\[was\\] less.';
  const stretch = (words: string) => ({ start: text.indexOf(words), endExclusive: text.indexOf(words) + words.length });

  it('looks different, to its ends and no further, and the answer says what that means', async () => {
    const unsupported = [stretch('It will *rise* next \\* year.')];
    const { container } = await openSaved(makeAnswer(text, [makeCitation(1, sheet, row)], { unsupported }));
    const marked = [...container.querySelectorAll('.unsupported')].map((one) => one.textContent);
    expect(marked).toEqual(['It will ', 'rise', ' next * year.']);
    expect(screen.getByText('Dotted: no quote in your documents was found for it.')).toBeTruthy();
    expect(container.querySelector('.prose-answer')?.textContent).toContain('It [was] less.');
  });

  it('is not looked for in answers of quotes', async () => {
    const { container } = await openSaved(
      makeAnswer('“Oslo $x^2$” [1]', [makeCitation(1, sheet, row)], { writtenBy: 'quotes' }),
    );
    expect(container.querySelectorAll('.unsupported, .katex, .formula')).toHaveLength(0);
    expect(container.querySelector('.prose-answer')?.textContent).toContain('$x^2$');
  });
});

describe('an answer whose passages may not say what was asked', () => {
  const remark = 'These passages speak of this, but may not say what you asked. Check the quotes.';

  it('says so, and another does not', async () => {
    await openSaved(makeAnswer('It is 1,250 [1].', [makeCitation(1, sheet, row)], { doubtful: true }));
    expect(screen.getByText(remark)).toBeTruthy();
  });

  it('is not what every answer is', async () => {
    await openSaved(makeAnswer('It is 1,250 [1].', [makeCitation(1, sheet, row)]));
    expect(screen.queryByText(remark)).toBeNull();
  });
});

describe('the keyboard', () => {
  it('goes from the question to the last turn and back', async () => {
    await openSaved(makeAnswer('It is 1,250 [1].', [makeCitation(1, sheet, row)]));
    const field = screen.getByRole('textbox', { name: 'Your question' });
    field.focus();
    fireEvent.keyDown(field, { key: 'PageUp' });
    const article = screen.getByRole('article', { name: 'What is the rent?' });
    expect(document.activeElement).toBe(article);
    fireEvent.keyDown(article, { key: 'PageDown' });
    expect(document.activeElement).toBe(field);
  });
});

describe('what is read aloud', () => {
  it('is the answer without its signs and numbers, once', async () => {
    const tape = new Tape<AskEvent>();
    const { container } = openWindow((app) => {
      app.setDocument(rents);
      app.script.answers.push(tape);
    });
    const user = userEvent.setup();
    await user.type(await screen.findByRole('textbox', { name: 'Your question' }), 'How much?{Enter}');
    tape.push({ type: 'text', text: 'It ' });
    tape.push({
      type: 'answer',
      answer: makeAnswer(
        '## Rent\n\nIt is **1,250** [1, 2].\n\n- in `Oslo`\n\n| City | Rent |\n|---|---|\n| Oslo | 1,250 |',
        [makeCitation(1, sheet, row)],
      ),
    });
    tape.end();
    const live = container.querySelector('.sr-only[aria-live="polite"]');
    await waitFor(() => expect(live?.textContent).toMatch(/^Rent\s+It is 1,250\.\s+in Oslo/));
    expect(live?.textContent).not.toMatch(/[#*`|[\]]/);
  });
});
