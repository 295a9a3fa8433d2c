import { describe, expect, it } from 'vitest';
import { finishSpoken, type Spoken } from '../../../app/chats/finish.ts';
import type { Answer } from '../../../app/contract/types.ts';
import { passageOf } from './fixtures.ts';

const bridge = passageOf(
  1,
  'The bridge of Kintai has five wooden arches and is one hundred and ninety-three metres long.',
);
const tea = passageOf(2, 'Green tea is brewed with water of eighty degrees.');
const passages = [bridge, tea];
const timings = {
  retrieveMs: 1,
  ttftMs: 2,
  decodeTokensPerSecond: 3,
  numPromptTokens: 4,
  numCachedTokens: 5,
  numOutputTokens: 6,
};

/** The finished answer of a model that said `text`. */
function finish(question: string, text: string, end: Spoken['end'] = 'complete'): Answer {
  const searched = { numDocuments: 2, numPassages: 2 };
  return finishSpoken({ question, text, end, shown: passages, found: passages, timings, searched }, () => passages);
}

describe('the answer of a model without support', () => {
  const question = 'How long is the bridge of Kintai?';

  it('gives way to what the documents say, where they speak of just what was asked', () => {
    const answer = finish(question, 'It is a famous attraction, visited by many tourists.');
    expect(answer).toMatchObject({ refused: false, writtenBy: 'quotes', end: 'complete', timings });
    expect(answer.text).not.toMatch(/tourists|found nothing/);
    expect(answer.text).toContain('one hundred and ninety-three metres long');
    expect(answer.citations[0]).toMatchObject({ n: 1, quote: bridge.text, verified: true });
  });

  it('also where it says something true that was not asked', () => {
    const answer = finish(question, 'Green tea is brewed with water of eighty degrees.');
    expect(answer).toMatchObject({ refused: false, writtenBy: 'quotes' });
    expect(answer.text).not.toContain('no support');
    expect(answer.citations[0]).toMatchObject({ quote: bridge.text, verified: true });
  });

  it("also where it only gives the question's words back, unless that can be an answer", () => {
    const repeated = 'The bridge of Kintai is long.';
    expect(finish(question, repeated).writtenBy).toBe('quotes');
    expect(finish('Is the bridge of Kintai long?', repeated)).toMatchObject({
      writtenBy: 'model',
      text: `${repeated} [1]`,
    });
  });

  it('is a refusal where they do not', () => {
    const answer = finish('Who painted the ceiling of the chapel in Rome?', 'It was painted by a famous artist.');
    expect(answer).toMatchObject({ refused: true, end: 'complete' });
    expect(answer.text).toMatch(/searched 2 documents/);
  });

  it('loses the sentence in which it ran into its length', () => {
    const good = 'The bridge of Kintai has five wooden arches.';
    expect(finish(question, `${good} The bridge of Kintai is`, 'length')).toMatchObject({
      text: `${good} [1]`,
      end: 'length',
    });
    const only = 'The bridge of Kintai is one hundred and ninety-three metres';
    expect(finish(question, only, 'length')).toMatchObject({ text: `${only} [1]`, end: 'length' });
  });

  it('stays as it was said when the person stopped it', () => {
    const answer = finish(question, 'It is a famous attraction', 'stopped');
    expect(answer).toMatchObject({
      text: 'It is a famous attraction',
      refused: false,
      writtenBy: 'model',
      end: 'stopped',
    });
  });

  it('never leans on the first word of a sentence that was not finished', () => {
    const answer = finish(question, 'It is a famous attraction, visited by many tourists. Green');
    expect(answer.citations.map(({ passageId }) => passageId)).not.toContain(tea.passageId);
    expect(answer.writtenBy).toBe('quotes');
  });
});

it('an answer whose proof stands beside the sentence that names what was asked about is to the point', () => {
  const tower = passageOf(1, 'The Eiffel Tower was finished in March 1889. It is 330 metres high.');
  const spoken = {
    question: 'What is the height of the Eiffel Tower?',
    text: 'It is 330 metres high.',
    end: 'complete',
  } as const;
  const searched = { numDocuments: 1, numPassages: 1 };
  const answer = finishSpoken({ ...spoken, shown: [tower], found: [tower, tea], timings, searched }, () => [tower]);
  expect(answer).toMatchObject({ writtenBy: 'model', refused: false, text: 'It is 330 metres high. [1]' });
});

it('an answer that the passages support stands in the words of the model', () => {
  const answer = finish(
    'How long is the bridge of Kintai?',
    'The bridge of Kintai is one hundred and ninety-three metres long.',
  );
  expect(answer).toMatchObject({
    refused: false,
    writtenBy: 'model',
    text: 'The bridge of Kintai is one hundred and ninety-three metres long. [1]',
  });
});
