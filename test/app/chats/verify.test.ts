import { describe, expect, it } from 'vitest';
import { cite } from '../../../app/chats/citations.ts';
import { nearestQuotes, pickQuotes } from '../../../app/chats/quotes.ts';
import { verifyCitations } from '../../../app/chats/verify.ts';
import type { Passage } from '../../../app/contract/types.ts';
import { passageOf } from './fixtures.ts';

/** The same numbers every time. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const pieces = [
  ...'tower bridge river metres built 1887 1,280 3.5% Eiffel José Núñez Łukasz café e\u0301 Straße İstanbul ﬁnal 山田太郎 東京 大仏。 １２３ 👩‍👩‍👧 \u200b \u00ad \u00a0 \ud83d\ude00 “quoted” [3] **bold** `code` <b> &amp; not never'.split(
    ' ',
  ),
  '. ',
  '! ',
  '\n',
  '\n\n- ',
  '\t',
  '  ',
  ' ',
  'x'.repeat(600),
];

function textOf(random: (below: number) => number, numPieces: number): string {
  let text = '';
  for (let i = 0; i < numPieces; i++) text += pieces[random(pieces.length)]! + (random(3) > 0 ? ' ' : '');
  return text;
}

/** What an honest model might say: the passage in other clothes. */
const clothes: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text.normalize('NFKC'),
  (text) => text.normalize('NFD'),
  (text) => text.toLowerCase(),
  (text) => text.toUpperCase(),
  (text) => text.replace(/\s+/g, ' '),
  (text) => text.replace(/\p{M}/gu, ''),
  (text) => text.replaceAll('1', '7'),
];

describe('a quote that is shown as verified', () => {
  it('stands letter for letter in the stored passage, whatever was said and however it was written', () => {
    let numVerified = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const random = createRandom(seed);
      const passages = [1, 2, 3].map((id) => passageOf(id, textOf(random, 5 + random(60))));
      const source = passages[random(3)]!.text;
      const from = random(source.length);
      const said = clothes[seed % clothes.length]!(source.slice(from, from + 20 + random(300)));
      const question = textOf(random, 4);
      const all = [
        ...cite(said, question, passages).citations,
        ...pickQuotes(said, passages).citations,
        ...nearestQuotes(question, passages).citations,
      ];
      for (const citation of verifyCitations(all, () => passages)) {
        const { text } = passages.find(({ passageId }) => passageId === citation.passageId)!;
        expect(citation.verified).toBe(true);
        const at = text.indexOf(citation.quote);
        expect(at).toBeGreaterThanOrEqual(0);
        // Not half a character, which would show as another one.
        expect(citation.quote.isWellFormed()).toBe(true);
        expect(citation.quote).toMatch(/\S/);
        numVerified += 1;
      }
    }
    expect(numVerified).toBeGreaterThan(300);
  });

  it('is verified no more when anything of it is changed in the store, even what no eye sees', () => {
    const changes: readonly ((text: string) => string)[] = [
      (text) => text.normalize('NFD'),
      (text) => text.replace('1,280', '1.280'),
      (text) => text.replace(' ', '\u00a0'),
      (text) => text.replace('tower', 'tower\u200b'),
      (text) => text.replace('T', 'Т'), // Cyrillic
      (text) => text.toLowerCase(),
      (text) => text.slice(0, -1),
      () => '',
    ];
    const passage = passageOf(1, 'The tower of José Núñez is 1,280 metres tall.');
    const { citations } = cite('The tower of José Núñez is 1280 metres tall.', 'How tall is it?', [passage]);
    expect(citations).toHaveLength(1);
    const verifiedIn = (stored: Passage): boolean => verifyCitations(citations, () => [stored])[0]!.verified;
    expect(verifiedIn(passage)).toBe(true);
    for (const change of changes) expect(verifiedIn({ ...passage, text: change(passage.text) })).toBe(false);
    expect(verifyCitations(citations, () => [])[0]!.verified).toBe(false);
    expect(
      verifyCitations(citations, () => [{ ...passage, documentId: 'another' as Passage['documentId'] }])[0]!.verified,
    ).toBe(false);
    expect(verifyCitations([{ ...citations[0]!, quote: '' }], () => [passage])[0]!.verified).toBe(false);
  });
});
