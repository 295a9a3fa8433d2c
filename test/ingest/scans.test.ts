import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNodeSpawner } from '../../ingest/readers/node-spawner.ts';
import { readPdf } from '../../ingest/readers/pdf.ts';
import { defaultScanLimits } from '../../ingest/readers/scan/scanned-pages.ts';
import { createReadFile } from '../../ingest/run-reader.ts';
import type { ReadResult, ScannedWord } from '../../ingest/source.ts';
import { drawScan, makeMixedPdf, type Scan } from '../fakes/scanned-pdf.ts';
import { bytesOf, dataFolder, hasData, sourceOf } from './data.ts';

const patience = { timeout: 300_000 };
const letter = [
  'Minutes of the harbour board, 14 March 1962',
  'The dredging of the northern basin was put off until the autumn.',
  'Captain Eleanor Whitcombe reported a depth of 7.4 metres at low water.',
  'The board granted 18,250 pounds for the repair of the eastern lock.',
  'A second crane, type BX-4471, was ordered from the works in Leith.',
];
const lease = [
  'The tenant shall pay a yearly rent of 940 crowns on the first of May.',
  'Repairs to the roof and the chimney are borne by the landlord alone.',
  'This lease ends on 30 September 1971 unless it is renewed in writing.',
];
const survey = [
  'Survey of the lighthouse: the lantern room leaks in westerly gales.',
  'The optic turns once every forty seconds and weighs 2,300 kilograms.',
];

type Read = Extract<ReadResult, { type: 'read' }>;
const wordsOfPage = (result: ReadResult, page: number): ScannedWord[] =>
  (result as Read).scannedPages?.find((scanned) => scanned.page === page)?.words ?? [];

/** The share of drawn words that were recognized, each as often as it was drawn. */
function shareRead(drawn: Scan, recognized: readonly ScannedWord[]): number {
  const left = recognized.map(({ text }) => text);
  const numFound = drawn.words.filter(({ text }) => {
    const at = left.indexOf(text);
    if (at !== -1) left.splice(at, 1);
    return at !== -1;
  }).length;
  return numFound / drawn.words.length;
}

/** The share of drawn words on whose place a word with the same letters was recognized, to 3 points. */
function shareInPlace(drawn: Scan, recognized: readonly ScannedWord[]): number {
  const numInPlace = drawn.words.filter(({ text, box }) =>
    recognized.some(
      (word) =>
        word.text === text &&
        word.box[0] >= box[0] - 3 &&
        word.box[1] >= box[1] - 3 &&
        word.box[2] <= box[2] + 3 &&
        word.box[3] <= box[3] + 3 &&
        longSide(word.box) > longSide(box) * 0.6,
    ),
  ).length;
  return numInPlace / drawn.words.length;
}

const longSide = ([left, top, right, bottom]: ScannedWord['box']) => Math.max(right - left, bottom - top);

describe('a PDF of ten pages with three scans', patience, () => {
  const scans = new Map([
    [3, drawScan(letter)],
    [6, drawScan(lease, { dotsPerInch: 150 })],
    [10, drawScan(survey, { dotsPerInch: 300 })],
  ]);
  let folder = '';
  let result: ReadResult;
  const progress: number[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'quoth 山田 太郎 '));
    const pages = Array.from(
      { length: 10 },
      (_, n) =>
        scans.get(n + 1) ?? [
          `Page ${n + 1} was typed and speaks of nothing but the weather of that day, at some length.`,
        ],
    );
    const path = join(folder, 'board.pdf');
    writeFileSync(path, makeMixedPdf(pages));
    // The reader as it runs in the app: a process of its own that may read its file and its code, start no thread, load no addon.
    result = await createReadFile(createNodeSpawner())(sourceOf(path), {
      signal: new AbortController().signal,
      onProgress: (done) => progress.push(done),
    });
  }, patience.timeout);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is read whole: each page has its text, the scans say that they are scans', () => {
    expect(result).toMatchObject({ type: 'read', numPages: 10 });
    const { sections, scannedPages } = result as Read;
    expect(sections.map(({ locator }) => locator.type === 'page' && locator.page)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
    expect(scannedPages?.map(({ page }) => page)).toEqual([3, 6, 10]);
    expect(sections.filter(({ label }) => label).map(({ label }) => label)).toEqual([
      'Scanned page 3',
      'Scanned page 6',
      'Scanned page 10',
    ]);
    expect(sections[2]!.text).toContain('granted 18,250 pounds for the repair of the eastern lock.');
    expect(sections[5]!.text).toContain('30 September 1971');
    expect(sections[9]!.text).toContain('2,300 kilograms');
  });

  it('yields at least 95 of 100 words of each scan, each where it was drawn', () => {
    for (const [page, scan] of scans) {
      expect.soft(shareRead(scan, wordsOfPage(result, page)), `words of page ${page}`).toBeGreaterThanOrEqual(0.95);
      expect.soft(shareInPlace(scan, wordsOfPage(result, page)), `boxes of page ${page}`).toBeGreaterThanOrEqual(0.95);
    }
  });

  it('tells its progress page by page', () => {
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
    expect(progress.length).toBeGreaterThanOrEqual(10);
  });
});

describe('a scan', patience, () => {
  const read = (scan: Scan, turned = false) => readPdf(makeMixedPdf([scan], turned), 'scan.pdf');

  it('is read when it lies askew', async () => {
    const scan = drawScan(letter, { degrees: 2 });
    const words = wordsOfPage(await read(scan), 1);
    expect(shareRead(scan, words)).toBeGreaterThanOrEqual(0.9);
  });

  it('is read when it was scanned upside down, its words where they stand on the page', async () => {
    const scan = drawScan(letter, { degrees: 180 });
    const words = wordsOfPage(await read(scan), 1);
    expect(shareRead(scan, words)).toBeGreaterThanOrEqual(0.95);
    expect(shareInPlace(scan, words)).toBeGreaterThanOrEqual(0.95);
  });

  it('is read when it was scanned sideways', async () => {
    const scan = drawScan(letter, { degrees: 90 });
    const words = wordsOfPage(await read(scan), 1);
    expect(shareRead(scan, words)).toBeGreaterThanOrEqual(0.95);
    expect(shareInPlace(scan, words)).toBeGreaterThanOrEqual(0.95);
  });

  it('is read when the file says that the page is to be turned', async () => {
    const scan = drawScan(letter);
    const words = wordsOfPage(await read(scan, true), 1);
    expect(shareRead(scan, words)).toBeGreaterThanOrEqual(0.95);
    expect(shareInPlace(scan, words)).toBeGreaterThanOrEqual(0.95);
  });

  it('without a word leaves the document without text, with the reason', async () => {
    const result = await read(drawScan([]));
    expect(result).toMatchObject({ type: 'failed', reason: 'no-text' });
    expect((result as { detail: string }).detail).toContain('page 1: its text could not be recognized');
  });

  it('of noise ends at the page’s deadline, and the next page is read', async () => {
    const noise = drawScan([], { noise: 1, dotsPerInch: 150 });
    const limits = { ...defaultScanLimits, pageMs: 1500 };
    const alone = await readPdf(makeMixedPdf([noise]), 'noise.pdf', undefined, limits);
    expect(alone).toMatchObject({ type: 'failed', reason: 'no-text' });
    const both = await readPdf(makeMixedPdf([noise, drawScan(survey)]), 'noise.pdf', undefined, {
      ...limits,
      pageMs: 6000,
    });
    expect((both as Read).scannedPages?.map(({ page }) => page)).toEqual([2]);
  });

  it('stays unread when the time for the document’s scans is over; the typed pages stay', async () => {
    const limits = { ...defaultScanLimits, documentMs: 0 };
    const typed = [
      'This page was typed by hand and has quite enough letters to be no scan at all, as anybody can see.',
    ];
    const result = await readPdf(makeMixedPdf([drawScan(survey), typed]), 'two.pdf', undefined, limits);
    expect((result as Read).sections.map(({ locator }) => locator)).toEqual([{ type: 'page', page: 2 }]);
    expect((result as Read).scannedPages).toBeUndefined();
  });
});

describe.skipIf(!hasData)('a real scan', patience, () => {
  it('of a medical report is read, table and all', async () => {
    const path = join(dataFolder, 'documents/office/markitdown/MEDRPT-2024-PAT-3847_medical_report_scan.pdf');
    const result = (await readPdf(bytesOf(path), 'report.pdf')) as Read;
    expect(result.scannedPages?.map(({ page }) => page)).toEqual([1, 2, 3]);
    const text = result.sections.map((section) => section.text).join('\n');
    for (const words of ['SEATTLE GENERAL HOSPITAL', 'Date of Service: October 28, 2024', 'Blood Pressure 142/88 mmHg'])
      expect(text).toContain(words);
  });
});
