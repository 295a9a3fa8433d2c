import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createCanvas } from '@napi-rs/canvas';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { joinedLines, textOfWords } from '../../ingest/readers/scan/joined-lines.ts';
import { groupsOf, languagesFor } from '../../ingest/readers/scan/languages.ts';
import {
  createRecognizer,
  type RecognizedLine,
  type RecognizedWord,
  type Recognizer,
} from '../../ingest/readers/scan/recognizer.ts';
import { drawScan } from '../fakes/scanned-pdf.ts';

const deadline = { processorMs: 60_000, clockMs: 120_000 };
let folder = '';
const folderOf = (language: string): string => join(folder, `scan-${language}`);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quoth 山田 太郎 '));
  const english = dirname(createRequire(import.meta.url).resolve('@tesseract.js-data/eng/package.json'));
  // Other languages: the same data under other names.
  for (const language of ['fra', 'jpn']) {
    mkdirSync(folderOf(language));
    copyFileSync(
      join(english, '4.0.0_best_int', 'eng.traineddata.gz'),
      join(folderOf(language), `${language}.traineddata.gz`),
    );
  }
  mkdirSync(folderOf('ita')); // without data
  writeFileSync(join(folderOf('ita'), 'readme.txt'), 'nothing');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function pictureOf(words: string) {
  drawScan([]); // registers the font
  const canvas = createCanvas(600, 80);
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, 600, 80);
  context.fillStyle = '#000';
  context.font = '30px "Scan Sans"';
  context.fillText(words, 20, 50);
  const { data } = context.getImageData(0, 0, 600, 80);
  return { width: 600, height: 80, grey: new Uint8Array(600 * 80).map((_, at) => data[4 * at]!) };
}

describe('languages of recognition', { timeout: 120_000 }, () => {
  test('are English and those whose data lies in the folders; a folder that is gone costs nothing but its language', () => {
    expect(createRecognizer().languages()).toEqual(['eng']);
    const folders = ['fra', 'ita', 'gone', 'jpn'].map(folderOf);
    expect(createRecognizer(folders).languages()).toEqual(['eng', 'fra', 'jpn']);
  });

  test('are used together where they are asked for, one alone where not, by the same recognizer', async () => {
    const recognizer = createRecognizer([folderOf('fra')]);
    for (const languages of [['eng'], ['eng', 'fra'], ['fra'], ['eng']]) {
      const lines = await recognizer.recognize(pictureOf('Twelve ducks swim'), deadline, languages);
      expect(lines?.flatMap(({ words }) => words.map(({ text }) => text))).toEqual(['Twelve', 'ducks', 'swim']);
    }
  });

  test('without data are a fault that is said, and the next page is read all the same', async () => {
    const recognizer = createRecognizer();
    await expect(recognizer.recognize(pictureOf('Twelve'), deadline, ['fra'])).rejects.toThrow('language data');
    expect(await recognizer.recognize(pictureOf('Twelve'), deadline, ['eng'])).toHaveLength(1);
  });

  test('stand in groups of one script', () => {
    expect(groupsOf([])).toEqual([['eng']]);
    expect(groupsOf(['jpn', 'deu', 'fra', 'chi_sim', 'xyz'])).toEqual([['eng', 'fra', 'deu'], ['jpn'], ['chi_sim']]);
  });
});

describe('the languages for a page', () => {
  const picture = { width: 4, height: 4, grey: new Uint8Array(16) };
  const lineOf = (text: string, confidence: number): RecognizedLine => ({
    startsParagraph: true,
    words: [{ text, confidence, box: [0, 0, 10, 10] }],
  });
  /** Reads what it is told to, by the languages. */
  function scripted(
    languages: string[],
    reads: Record<string, RecognizedLine | null>,
  ): Recognizer & { asked: string[] } {
    const asked: string[] = [];
    return {
      asked,
      languages: () => languages,
      async recognize(_picture, _deadline, wanted) {
        asked.push(wanted.join('+'));
        const line = reads[wanted.join('+')];
        return line === null ? null : line ? [line] : [];
      },
    };
  }
  const choose = (recognizer: Recognizer) => languagesFor(recognizer, picture, () => deadline);

  test('are all of its script, without a trial, where there are few and no other script', async () => {
    const recognizer = scripted(['eng', 'deu', 'fra'], {});
    expect(await choose(recognizer)).toEqual(['eng', 'fra', 'deu']);
    expect(recognizer.asked).toEqual([]);
  });

  test('are those of the surest script, with English beside it', async () => {
    const reads = { 'eng+fra': lineOf('ERERST', 20), jpn: lineOf('居民委史会', 72), chi_sim: lineOf('居民委员会', 94) };
    expect(await choose(scripted(['eng', 'fra', 'jpn', 'chi_sim'], reads))).toEqual(['chi_sim', 'eng']);
  });

  test('are not of a script that the page has no letters of, however sure it is of the Latin ones', async () => {
    const reads = { eng: lineOf('assemblée', 82), jpn: lineOf('assemblee', 84) };
    expect(await choose(scripted(['eng', 'jpn'], reads))).toEqual(['eng']);
  });

  test('are the four surest where there are many of a script', async () => {
    const languages = ['eng', 'fra', 'deu', 'ita', 'spa', 'pol'];
    const reads = Object.fromEntries(languages.map((language, at) => [language, lineOf('Wörter', 60 + at)]));
    expect(await choose(scripted(languages, reads))).toEqual(['pol', 'spa', 'ita', 'deu']);
  });

  test('are none when the time is over', async () => {
    expect(await choose(scripted(['eng', 'jpn'], { eng: null }))).toBeNull();
    const late = { processorMs: 0, clockMs: 10 };
    expect(await languagesFor(scripted(['eng', 'jpn'], {}), picture, () => late)).toBeNull();
  });
});

describe('lines of letters in a grid', () => {
  const word = (text: string, left: number, top: number, size = 20): RecognizedWord => ({
    text,
    confidence: 90,
    box: [left, top, left + size * text.length, top + size],
  });
  const line = (...words: RecognizedWord[]): RecognizedLine => ({ words, startsParagraph: false });
  const texts = (lines: RecognizedLine[]) => lines.map(({ words }) => textOfWords(words));

  test('that were cut into two columns become whole again, in their order', () => {
    const cut = [
      line(word('居民', 0, 0), word('委', 40, 0)),
      line(word('听取', 0, 30), word('了', 40, 30)),
      line(word('员会', 62, 0)),
      line(word('财务', 62, 30)),
    ];
    expect(texts(joinedLines(cut))).toEqual(['居民委员会', '听取了财务']);
  });

  test('stay apart where they are columns, are Latin, or run down the page', () => {
    const columns = [line(word('左の段', 0, 0)), line(word('右の段', 120, 0))];
    expect(joinedLines(columns)).toEqual(columns);
    const latin = [line(word('left', 0, 0)), line(word('right', 85, 0))];
    expect(joinedLines(latin)).toEqual(latin);
    const down = [0, 24].map((left) => line(...[0, 1, 2, 3].map((row) => word('縦', left, 20 * row))));
    expect(joinedLines(down)).toEqual(down);
  });

  test('have spaces only where they are written', () => {
    expect(textOfWords([word('公民', 0, 0), word('館', 40, 0), word('で', 60, 0), word('。', 80, 0)])).toBe(
      '公民館で。',
    );
    expect(textOfWords([word('項目', 0, 0), word('金額', 140, 0)])).toBe('項目 金額');
    expect(textOfWords([word('three', 0, 0), word('ducks', 110, 0)])).toBe('three ducks');
    expect(textOfWords([word('서울', 0, 0), word('도서관', 60, 0)])).toBe('서울 도서관');
  });
});
