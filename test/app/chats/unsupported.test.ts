import { describe, expect, it } from 'vitest';
import { withoutDocument } from '../../../app/chats/chats.ts';
import { unsupportedIn } from '../../../app/chats/unsupported.ts';
import { makeAnswer, makeCitation, makeDocument, makePassage } from '../../fakes/app-handlers.ts';

const sentences = (text: string): string[] =>
  unsupportedIn(text).map(({ start, endExclusive }) => text.slice(start, endExclusive));

describe('the sentences of an answer without a quote', () => {
  it.each([
    ['The tower opened in 1889 [1]. It is painted every seven years.', ['It is painted every seven years.']],
    ['The tower opened in 1889. [1] It is painted often. It is 330 metres tall [2].', ['It is painted often.']],
    ['The tower opened in 1889. [1][2]', []],
    [
      '## The tower\n\nThese are its facts:\n\n- It opened in 1889 [1].\n- It has three floors.',
      ['- It has three floors.'],
    ],
    ['Yes. It opened in 1889 [1].', []],
    ['| Year | Rent |\n|---|---|\n| 2023 | 1,200 euros |', []],
    ['It opened in 1889 [1].\n\n```js\nconst opened = new Tower(1889);\n```', []],
    ['鉄塔は1889年に開業しました [1]。高さは330メートルです。', ['高さは330メートルです。']],
  ])('%j', (text, expected) => expect(sentences(text)).toEqual(expected));
});

describe('an answer whose document is removed', () => {
  it('keeps none of its words, and marks the same sentences as before', () => {
    const lease = makeDocument(1);
    const passage = makePassage(1, lease, 'Oslo | 1,200');
    const text = 'The rent is Oslo | 1,200 [1]. It will rise next year.';
    const citation = { ...makeCitation(1, passage, 'Oslo | 1,200'), cell: 'Rent: 1,200', boxes: [] };
    const answer = makeAnswer(text, [citation], { unsupported: unsupportedIn(text) });
    const left = withoutDocument(answer, lease.id);
    expect(JSON.stringify(left)).not.toContain('1,200');
    expect(left.unsupported?.map(({ start, endExclusive }) => left.text.slice(start, endExclusive))).toEqual([
      'It will rise next year.',
    ]);
  });
});
