import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { anyOf, questionWords, words } from '../../../app/store/words.ts';
import { chunksOf, createProfile, facts, fileSource, openStore } from './profile.ts';

function storeOf(texts: string[]) {
  const store = openStore(createProfile());
  const { id } = store.documents.insertQueued(fileSource('a.txt'));
  const { addedIds } = store.passages.replacePassages(id, chunksOf(texts), null, facts);
  const find = (query: string) =>
    store.passages.searchWords(query, 10).map(({ passageId }) => addedIds.indexOf(passageId));
  return { ...store, find };
}

describe('searching words', () => {
  test('any word finds, more and rarer words find better', () => {
    const { find } = storeOf(['the cat sat on the mat', 'the dog sat', 'the cat and the dog', 'a bird']);
    expect(find('the cat on a mat')[0]).toBe(0);
    expect(find('bird')).toEqual([3]);
    expect(find('CAT')).toContain(0);
    expect(find('elephant')).toEqual([]);
  });

  test('letters with and without accents are the same', () => {
    const { find } = storeOf(['le café est fermé', 'Straße in München', 'другой текст']);
    expect(find('cafe ferme')).toEqual([0]);
    expect(find('munchen')).toEqual([1]);
    expect(find('ДРУГОЙ')).toEqual([2]);
  });

  test('scripts without spaces are found by a part of a sentence', () => {
    const { find } = storeOf([
      '東京は日本の首都です。',
      '北京是中华人民共和国的首都',
      '대한민국의 수도는 서울이다',
      'Tokyo 2020',
    ]);
    expect(find('日本の首都はどこですか')[0]).toBe(0);
    expect(find('北京')).toEqual([1]);
    expect(find('서울')).toEqual([2]);
    expect(find('首都')).toHaveLength(2);
    expect(storeOf(['กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย', 'ภูเขา']).find('เมืองหลวงของไทยคือที่ไหน')).toEqual([0]);
  });

  test('in a large library a question full of common words still finds the rare ones first', () => {
    const texts = Array.from({ length: 12_000 }, (_, i) => `the common words of all and number${i}`);
    const { find, passages } = storeOf(texts);
    expect(find('the common words of all and number777')[0]).toBe(777);
    expect(find('number3 the of number5 and all common words number3').slice(0, 2)).toEqual([3, 5]);
    expect(passages.searchWords('the', 7)).toHaveLength(7);
  });

  test('nothing in a question is syntax', () => {
    const { find } = storeOf(['alpha beta', 'NEAR OR AND NOT', 'text heading']);
    for (const query of [
      '"alpha',
      'alpha*',
      'alpha AND',
      'NOT alpha',
      'text:alpha',
      '-alpha',
      '(alpha',
      '^alpha',
      "alpha'",
      'alpha"; DROP TABLE passages; --',
      '{text heading}: alpha',
      'alpha + ',
      'NEAR(alpha beta, 0)',
    ])
      expect(find(query), query).toContain(0);
    expect(find('OR')).toEqual([1]);
    expect(find('"" () * ^ : - + { }')).toEqual([]);
    expect(find('')).toEqual([]);
  });

  test('no question makes it throw', () => {
    const { passages } = storeOf(['alpha beta']);
    const strange = [
      '\0',
      'a\0b',
      '\ud800',
      '\udc00a',
      '\uffff',
      '\u202e',
      '👩‍👩‍👧‍👦',
      'ﷺ',
      'Ǆǅǆ',
      'İ',
      'ß',
      '\u0300',
      'a\u0300\u0301',
      '\u{e0041}',
      '١٢٣',
      '½',
      'ⅷ',
      'x'.repeat(20_000),
      'a '.repeat(10_000),
      Array.from({ length: 5000 }, (_, i) => `w${i}`).join(' '),
      '東'.repeat(20_000),
    ];
    for (const query of strange) expect(Array.isArray(passages.searchWords(query, 10))).toBe(true);
    for (let unit = 0; unit < 0x10000; unit += 61) passages.searchWords(String.fromCharCode(unit, unit + 1, 0x61), 10);
  });

  test('every strange text can be stored, found and removed without a trace in the word index', () => {
    const texts = [
      '\0nul',
      'lone \ud800 surrogate',
      '東京 mixed 京都 text',
      '\u202eright to left',
      'ﬀ ligature',
      '',
      ' ',
      '𠮷野家',
    ];
    const { documents, passages, database, find } = storeOf(texts);
    expect(find('京都')).toEqual([2]);
    expect(find('ligature')).toEqual([4]);
    documents.remove(documents.list()[0]!.id);
    expect(passages.searchWords('nul lone surrogate mixed text left ligature 東京 京都 野家', 10)).toEqual([]);
    database.sqlite.exec("INSERT INTO passage_words (passage_words) VALUES ('integrity-check')");
  });
});

test('a query holds words in quotes and OR, and nothing else', () => {
  expect(anyOf(questionWords('What is "the" cat? The!'))).toBe('"what" OR "is" OR "the" OR "cat"');
  expect(questionWords('?!')).toEqual([]);
  expect(words('plain text, as it is')).toBe('plain text, as it is');
  expect(words('東京都').trim()).toBe('東京 京都');
});

const naughty = path.join(import.meta.dirname, '../../../../shared/data/security');
describe.skipIf(!fs.existsSync(naughty))('published strange strings', () => {
  test('none makes the search throw', () => {
    const { passages } = storeOf(['alpha beta']);
    let numStrings = 0;
    for (const entry of fs.readdirSync(naughty, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const raw = fs.readFileSync(path.join(entry.parentPath, entry.name));
      const text = (entry.name.endsWith('.gz') ? gunzipSync(raw) : raw).toString('utf8');
      for (const line of text.split('\n').slice(0, 5000)) {
        passages.searchWords(line, 5);
        numStrings += 1;
      }
    }
    expect(numStrings).toBeGreaterThan(100);
  });
});
