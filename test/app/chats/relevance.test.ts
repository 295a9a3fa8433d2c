import { describe, expect, it } from 'vitest';
import { calibrations, wordCalibration } from '../../../app/chats/calibrations.ts';
import { calibrationOf, isRelevant, logOddsOf } from '../../../app/chats/relevance.ts';
import { type Sighted, signNames, signsOf } from '../../../app/chats/signs.ts';
import { writingOf } from '../../../ingest/writing.ts';

const minilm = 'all-minilm-l6-v2@0123456789abcdef';
const seen = (
  text: string,
  similarity: number | null,
  wordScore: number | null,
  heading: string | null = null,
): Sighted => ({
  text,
  heading,
  similarity,
  wordScore,
});

/** What a search of a library about bridges and tea gives, near the question or not. */
const about = (similarity: number, wordScore: number): Sighted[] => [
  seen(
    'The bridge of Kintai in Iwakuni has five wooden arches. It was built in 1673 by the lord Kikkawa Hiroyoshi, and it is 193 metres long.',
    similarity,
    wordScore,
  ),
  seen('Green tea is brewed with water of eighty degrees, and it is drunk from small cups.', similarity - 0.3, 1),
  seen('The roads of the town are narrow, and the houses of the samurai stand by the river.', similarity - 0.35, null),
  seen('In winter the snow is so deep that the trains to the north are late.', similarity - 0.4, null),
];

describe('whether the documents hold an answer', () => {
  it.each([minilm, 'another-embedder@0', null])('is yes for what they speak of, no for what they do not (%s)', (id) => {
    const found = id === null ? about(0, 8).map((one) => ({ ...one, similarity: null })) : about(0.75, 8);
    expect(isRelevant('When was the bridge of Kintai built?', found, id)).toBe(true);
    const far = about(0.2, 1.2).map((one) => (id === null ? { ...one, similarity: null } : one));
    expect(isRelevant('What does the warranty say about water damage to the engine?', far, id)).toBe(false);
  });

  it('holds for what a person types into a search box', () => {
    expect(isRelevant('kintai bridge built 1673', about(0.7, 8), minilm)).toBe(true);
    expect(isRelevant('warranty engine damage', about(0.15, 0.4), minilm)).toBe(false);
  });

  it('holds in Chinese, where the embedder finds everything about equally near', () => {
    const found = [
      seen('锦带桥位于日本岩国市，建于1673年，全长193米，有五个木拱。', 0.62, 9),
      seen('绿茶用八十度的水冲泡，用小杯饮用。', 0.58, 1),
      seen('城里的道路很窄，武士的房子在河边。', 0.57, null),
    ];
    expect(isRelevant('锦带桥建于哪一年？', found, minilm)).toBe(true);
    expect(isRelevant('发动机的保修期是多长时间？', found, minilm)).toBe(false);
  });

  it('is no where nothing was found', () => {
    expect(isRelevant('When was it built?', [], minilm)).toBe(false);
  });

  it('goes by words when an embedder was not measured, whatever its cosines are', () => {
    expect(calibrationOf('another-embedder@0')).toBe(wordCalibration);
    expect(calibrationOf(minilm)).toBe(calibrations['all-minilm-l6-v2']);
    const question = 'When was the bridge of Kintai built?';
    for (const similarity of [0.01, 0.5, 0.99])
      expect(isRelevant(question, about(similarity, 8), 'another@0')).toBe(true);
  });

  it('goes by words too while no passage has a vector', () => {
    const found = about(0.75, 8).map((one) => ({ ...one, similarity: null }));
    expect(isRelevant('When was the bridge of Kintai built?', found, minilm)).toBe(true);
  });
});

describe('the signs of a search', () => {
  it('are numbers for any question and any passages', () => {
    for (const question of ['', '?', '\ud800', 'WHO', '1 2 3', 'ما هذا؟', 'x '.repeat(3_000)])
      for (const found of [[], about(0.5, 3), [seen('', null, null)], [seen('a', 1, 0, 'b')]]) {
        const signs = signsOf(question, found);
        for (const name of signNames) expect(Number.isFinite(signs[name])).toBe(true);
        expect(Number.isFinite(logOddsOf(wordCalibration[writingOf(question, found)], signs))).toBe(true);
      }
  });

  it('see the names and numbers of the question in one passage, or not', () => {
    const found = about(0.5, 3);
    expect(signsOf('What did Kikkawa build in 1673?', found).names).toBe(1);
    expect(signsOf('What did Kikkawa build in 1974?', found).names).toBe(0.5);
    expect(signsOf('what is it?', found).names).toBe(1);
  });

  it('tell the writing by the passages, and in a question of one word too', () => {
    expect(writingOf('kintai', about(0.5, 3))).toBe('english');
    expect(writingOf('Brücke', [{ text: 'Die Brücke wurde von dem Fürsten gebaut und ist lang.' }])).toBe('latin');
    expect(writingOf('мост', [{ text: 'Мост построен в 1673 году.' }])).toBe('other');
  });
});
