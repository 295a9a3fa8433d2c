import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createCanvas } from '@napi-rs/canvas';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRecognizer } from '../../ingest/readers/scan/recognizer.ts';
import { drawScan } from '../fakes/scanned-pdf.ts';

const deadline = { processorMs: 60_000, clockMs: 120_000 };
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quoth 山田 太郎 '));
  const installed = dirname(createRequire(import.meta.url).resolve('@tesseract.js-data/eng/package.json'));
  // A second language: the same data under another name, as a package of it would lie there.
  cpSync(join(installed, '4.0.0_best_int'), join(folder, 'eng', '4.0.0_best_int'), { recursive: true });
  mkdirSync(join(folder, 'fra', '4.0.0_best_int'), { recursive: true });
  cpSync(
    join(installed, '4.0.0_best_int', 'eng.traineddata.gz'),
    join(folder, 'fra', '4.0.0_best_int', 'fra.traineddata.gz'),
  );
  mkdirSync(join(folder, 'ita')); // without data
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
  test('are those whose data is there: alone English has no others', () => {
    expect(createRecognizer(folder).hasOthers()).toBe(true);
    rmSync(join(folder, 'ita'), { recursive: true });
    const alone = mkdtempSync(join(tmpdir(), 'quoth-eng-'));
    mkdirSync(join(alone, 'eng'));
    expect(createRecognizer(alone).hasOthers()).toBe(false);
    rmSync(alone, { recursive: true });
  });

  test('are used all together where they are asked for, English alone where not', async () => {
    const recognizer = createRecognizer(folder);
    for (const languages of ['english', 'all'] as const) {
      const lines = await recognizer.recognize(pictureOf('Twelve ducks swim'), deadline, languages);
      expect(lines?.flatMap(({ words }) => words.map(({ text }) => text))).toEqual(['Twelve', 'ducks', 'swim']);
    }
  });
});
