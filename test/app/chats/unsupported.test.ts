import { describe, expect, it } from 'vitest';
import { unsupportedIn } from '../../../app/chats/unsupported.ts';

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
