import { describe, expect, it } from 'vitest';
import { cite } from '../../../app/chats/citations.ts';
import { pickQuotes } from '../../../app/chats/quotes.ts';
import { verifyCitations } from '../../../app/chats/verify.ts';
import { passageOf } from './fixtures.ts';

const tower = passageOf(
  1,
  'The Eiffel Tower is a wrought-iron lattice tower in Paris, France. It was built between 1887 and 1889 by the company ' +
    'of engineer Gustave Eiffel. The tower is 330 metres tall and weighs about 10,100 tonnes.',
);
const bridge = passageOf(
  2,
  'The Golden Gate Bridge spans the strait between San Francisco Bay and the Pacific Ocean. It opened in 1937. At the ' +
    'time it was the longest suspension bridge in the world, with a main span of 1,280 metres.',
);
const passages = [tower, bridge];

describe('citing an answer', () => {
  it('puts the mark of the supporting passage behind each sentence, with its verbatim words', () => {
    const cited = cite(
      'The Eiffel Tower was built between 1887 and 1889. The main span of the bridge is 1280 metres.',
      'When was the Eiffel Tower built, and how long is the bridge?',
      passages,
    );
    expect(cited.text).toBe(
      'The Eiffel Tower was built between 1887 and 1889. [1] The main span of the bridge is 1280 metres. [2]',
    );
    expect(cited.citations.map(({ passageId }) => passageId)).toEqual([1, 2]);
    for (const citation of cited.citations)
      expect(passages.find(({ passageId }) => passageId === citation.passageId)!.text).toContain(citation.quote);
    expect(cited.citations[0]!.quote).toContain('between 1887 and 1889');
    expect(cited.citations[1]!.quote).toContain('1,280 metres');
  });

  it.each([
    ['another number', 'The Eiffel Tower was built in 1899.'],
    ['a number with another magnitude', 'The main span of the bridge is 12800 metres.'],
    ['another name', 'The Eiffel Tower was built by Isambard Brunel.'],
    ['nothing of it', 'Bananas are rich in potassium and grow in bunches.'],
  ])('gives no mark to a sentence with %s', (_what, sentence) => {
    const cited = cite(sentence, 'Who built the Eiffel Tower, when, and how long is the bridge?', passages);
    expect(cited).toMatchObject({ text: sentence, citations: [], numSentences: 1, numSupported: 0 });
  });

  it('takes no comfort from words that the question brought along', () => {
    const cited = cite('The Eiffel Tower is painted purple.', 'What colour is the Eiffel Tower painted?', passages);
    expect(cited.numSupported).toBe(0);
  });

  it("removes the model's own marks, and follows them only where the words agree", () => {
    const right = cite('It opened in 1937 [2]. It weighs 10,100 tonnes [Passage 1].', 'When did it open?', passages);
    expect(right.text).toBe('It opened in 1937. [1] It weighs 10,100 tonnes. [2]');
    expect(right.citations.map(({ passageId }) => passageId)).toEqual([2, 1]);
    const wrong = cite('The tower weighs about 10,100 tonnes. [2] [7]', 'How heavy is the tower?', passages);
    expect(wrong.text).toBe('The tower weighs about 10,100 tonnes. [1]');
    expect(wrong.citations[0]!.passageId).toBe(1);
  });

  it('takes a question for no claim, even where a passage holds all its words', () => {
    const cited = cite(
      'When was the Eiffel Tower built? It was built by the company of engineer Gustave Eiffel.',
      'When was the Eiffel Tower built?',
      passages,
    );
    expect(cited.text).toBe(
      'When was the Eiffel Tower built? It was built by the company of engineer Gustave Eiffel. [1]',
    );
    expect(cited.numSupported).toBe(1);
    expect(cite('When was the tower built?”', 'When was it built?', passages).citations).toEqual([]);
  });

  it('cites the same words once', () => {
    const cited = cite(
      'The bridge opened in 1937.\n\nThe Golden Gate Bridge opened in 1937.',
      'When did the bridge open?',
      [bridge],
    );
    expect(cited.citations.length).toBeLessThanOrEqual(2);
    expect(cited.text.match(/\[\d\]/g)).toHaveLength(2);
  });

  it('does not take a denial for what the passage says', () => {
    const question = 'Who built the Eiffel Tower?';
    for (const denial of [
      'The Eiffel Tower was not built by the company of Gustave Eiffel.',
      'The passage does not mention the company of engineer Gustave Eiffel.',
      "It isn't clear whether the company of Gustave Eiffel built it.",
    ])
      expect(cite(denial, question, passages).citations).toEqual([]);
    const denying = passageOf(5, 'The tower was never meant to stand for longer than twenty years.');
    expect(cite('It was never meant to stand longer than twenty years.', 'How long?', [denying]).numSupported).toBe(1);
  });

  it('takes one word beside other sentences for no claim', () => {
    const cited = cite('Cats sleep all day. Gustave', 'Who built the Eiffel Tower?', passages);
    expect(cited).toMatchObject({ text: 'Cats sleep all day. Gustave', citations: [], numSentences: 2 });
    expect(cite('Gustave', 'Who built the Eiffel Tower?', passages).numSupported).toBe(1);
  });

  it.each(['length', 'stopped', 'cut'] as const)(
    'trusts a last sentence that was broken off (%s) only whole',
    (end) => {
      const question = 'What is known of the tower?';
      const invented = 'The tower is 330 metres tall and weighs about 10,100 tonnes of purple';
      expect(cite(invented, question, passages, 'complete').numSupported).toBe(1);
      expect(cite(invented, question, passages, end).numSupported).toBe(0);
      expect(cite('The tower is 330 metres tall and weighs', question, passages, end).numSupported).toBe(1);
      expect(cite(`${invented} paint.`, question, passages, end).numSupported).toBe(1);
    },
  );

  it('supports the bare answer of a few words', () => {
    const cited = cite('Gustave Eiffel.', 'Whose company built the Eiffel Tower?', passages);
    expect(cited.text).toBe('Gustave Eiffel. [1]');
    expect(cited.citations[0]!.quote).toContain('Gustave Eiffel');
  });

  it('works without spaces between words', () => {
    const chinese = passageOf(3, '长城位于中国北部。它的总长度超过两万公里。故宫在北京的中心。');
    const cited = cite('长城的总长度超过两万公里。', '长城有多长？', [chinese]);
    expect(cited.citations[0]?.quote).toContain('两万公里');
    expect(chinese.text).toContain(cited.citations[0]!.quote);
  });

  it('survives text that is no prose', () => {
    for (const answer of ['', ' ', '[1]', '[1][2][3]', '...', '\n\n- \n1.', '[999999999999]', '\ud800', '🙂🙂'])
      expect(cite(answer, 'What?', passages).citations).toEqual([]);
    const long = passageOf(4, `${'𝕊 and '.repeat(5000)}the end 42`);
    const cited = cite('The end 42 𝕊.', 'end?', [long]);
    for (const { quote } of cited.citations) expect(long.text).toContain(quote);
  });
});

describe('answers made of quotes', () => {
  it('offers the sentences that say what is asked, word for word', () => {
    const { lines, citations } = pickQuotes('When did the Golden Gate Bridge open?', passages);
    expect(citations[0]!.passageId).toBe(2);
    expect(lines).toContain('[1]');
    for (const { quote, passageId } of citations)
      expect(passages.find((one) => one.passageId === passageId)!.text).toContain(quote);
  });

  it('offers a sentence once that stands in two passages', () => {
    const again = passageOf(6, `${bridge.text.split('. ')[1]}. Another sentence follows the one about the opening.`);
    const { citations } = pickQuotes('When did the Golden Gate Bridge open?', [bridge, again]);
    const opened = citations.filter(({ quote }) => quote.includes('It opened in 1937.'));
    expect(opened).toHaveLength(1);
  });

  it('offers nothing when nothing is said about it', () => {
    expect(pickQuotes('Which vitamins do bananas contain?', passages).citations).toEqual([]);
  });
});

describe('verifying', () => {
  const cited = cite('It opened in 1937.', 'When did the Golden Gate Bridge open?', passages);
  const stored = (text: string) => [{ passageId: 2, documentId: bridge.documentId, text }];

  it('is true for words that stand in the stored passage letter for letter', () => {
    expect(verifyCitations(cited.citations, () => stored(bridge.text))).toMatchObject([{ verified: true }]);
  });

  it('is false when the passage is gone, has other words, or belongs to another document', () => {
    expect(verifyCitations(cited.citations, () => [])).toMatchObject([{ verified: false }]);
    expect(verifyCitations(cited.citations, () => stored(bridge.text.replace('1937', '1938')))).toMatchObject([
      { verified: false },
    ]);
    expect(
      verifyCitations(cited.citations, () => [{ passageId: 2, documentId: 'doc_other', text: bridge.text }]),
    ).toMatchObject([{ verified: false }]);
    const empty = cited.citations.map((citation) => ({ ...citation, quote: '' }));
    expect(verifyCitations(empty, () => stored(bridge.text))).toMatchObject([{ verified: false }]);
  });
});
