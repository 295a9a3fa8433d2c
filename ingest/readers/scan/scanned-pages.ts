/** Which pages of a PDF are scans, and what they say. */

import { scanLimits } from '../../reader-process.ts';
import type { ScannedWord } from '../../source.ts';
import type { PDFPageProxy } from '../pdf-engine.ts';
import type { PdfLine } from '../pdf-lines.ts';
import { oneLine } from '../sections.ts';
import { joinedLines, textOfWords } from './joined-lines.ts';
import { confidenceOf, english, fewestLetters, languagesFor } from './languages.ts';
import { drawPage, imagesOfPage } from './page-images.ts';
import {
  createRecognizer,
  type Deadline,
  type Picture,
  processorMs,
  type RecognizedLine,
  type Recognizer,
} from './recognizer.ts';

export type ScanLimits = {
  /** Processor time for one page, all its turnings together. */
  pageMs: number;
  /** The same by the clock. */
  pageClockMs: number;
  /** Processor time for all pages of a document: what is left then stays without text. */
  documentMs: number;
  /** Of a page's picture: 8.5 × 11 inches at 290 dots per inch. */
  mostPixels: number;
};

export const defaultScanLimits: ScanLimits = { ...scanLimits, mostPixels: 8e6 };

/** A page with more letters of its own is no scan: a stamp, a page number or a mail's header has fewer. */
const mostLettersOfScan = 60;
const leastCoverage = 0.4;
/** Tesseract is right about nearly all words above 60 and wrong about most below 30; between them it guesses. */
const leastWordConfidence = 45;
const leastPageConfidence = 60;

export type ScannedText =
  | { type: 'read'; lines: PdfLine[]; words: ScannedWord[]; confidence: number; languages: readonly string[] }
  | { type: 'unread'; why: string }
  /** No scan at all: the page has no picture that is large enough. */
  | { type: 'no-scan' };

export type ScanReader = {
  /** For a page whose own text has few letters. `onStart` is called before it is recognized. Never throws for a bad page. */
  read(page: PDFPageProxy, onStart: () => void): Promise<ScannedText>;
};

export function mayBeScan(lines: readonly PdfLine[]): boolean {
  let numLetters = 0;
  for (const line of lines) numLetters += line.text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
  return numLetters <= mostLettersOfScan;
}

/** `scanFolders`: with the data of more languages than English. */
export function createScanReader(
  limits: ScanLimits = defaultScanLimits,
  scanFolders: readonly string[] = [],
): ScanReader {
  const recognizer = createRecognizer(scanFolders);
  let remainingMs = limits.documentMs;
  return {
    async read(page, onStart) {
      const startedMs = processorMs();
      try {
        const images = await imagesOfPage(page);
        if (images.coverage < leastCoverage) return { type: 'no-scan' };
        if (remainingMs <= 0) return { type: 'unread', why: 'the time for recognizing its scanned pages was over' };
        onStart();
        const { picture, scale } = drawPage(images, limits.mostPixels);
        const found = await recognizeUpright(recognizer, picture, {
          processorMs: Math.min(limits.pageMs, remainingMs),
          clockMs: limits.pageClockMs,
        });
        if (found === null) return { type: 'unread', why: 'recognizing its text took too long' };
        if (found.confidence < leastPageConfidence)
          return {
            type: 'unread',
            why: `its text could not be recognized with enough certainty (${found.confidence} %)`,
          };
        return textOf(found, scale);
      } catch (error) {
        return {
          type: 'unread',
          why: `recognizing its text failed: ${error instanceof Error ? error.message : error}`,
        };
      } finally {
        remainingMs -= processorMs() - startedMs;
      }
    },
  };
}

type Found = { lines: RecognizedLine[]; confidence: number; languages: readonly string[] };

/**
 * A scanner that was fed sideways leaves a page that reads as noise. Such a page is turned until it reads, first upside down,
 * as long as time remains. Boxes come back in the coordinates of the picture as it was given.
 */
async function recognizeUpright(recognizer: Recognizer, picture: Picture, deadline: Deadline): Promise<Found | null> {
  const processorEndsMs = processorMs() + deadline.processorMs;
  const clockEndsMs = performance.now() + deadline.clockMs;
  let best: Found | null = null;
  const remaining = (): Deadline => ({
    processorMs: processorEndsMs - processorMs(),
    clockMs: clockEndsMs - performance.now(),
  });
  const blank = isBlank(picture);
  for (const quarterTurns of [0, 2, 1, 3]) {
    const upright = turned(picture, quarterTurns);
    const languages = blank ? [english] : await languagesFor(recognizer, upright, remaining);
    const left = remaining();
    if (languages === null || left.processorMs <= 0 || left.clockMs <= 0) return best;
    const lines = await recognizer.recognize(upright, left, languages);
    if (lines === null) return best;
    const found = {
      lines: joinedLines(lines).map((line) => turnedBack(line, picture, quarterTurns)),
      confidence: confidenceOf(lines),
      languages,
    };
    if (best === null || found.confidence > best.confidence) best = found;
    if (best.confidence >= leastPageConfidence || blank) break;
  }
  return best;
}

/** Nothing but paper: fewer than one pixel in 10,000 is dark. */
function isBlank({ grey }: Picture): boolean {
  let numDark = 0;
  for (const value of grey) if (value < 128) numDark += 1;
  return numDark * 10_000 < grey.length;
}

function textOf({ lines, confidence, languages }: Found, scale: number): ScannedText {
  const kept: PdfLine[] = [];
  const words: ScannedWord[] = [];
  let startsParagraph = false;
  for (const line of lines) {
    startsParagraph ||= line.startsParagraph;
    const sure = line.words.filter(({ text, confidence }) => confidence >= leastWordConfidence && oneLine(text) !== '');
    if (sure.length === 0) continue;
    kept.push({ text: textOfWords(sure), startsParagraph });
    startsParagraph = false;
    for (const { text, box } of sure)
      words.push({
        text: oneLine(text),
        box: box.map((pixel) => Math.round((pixel / scale) * 10) / 10) as ScannedWord['box'],
      });
  }
  const numLetters = words.reduce((sum, { text }) => sum + (text.match(/[\p{L}\p{N}]/gu)?.length ?? 0), 0);
  if (numLetters < fewestLetters) return { type: 'unread', why: 'no words were recognized on it' };
  return { type: 'read', lines: kept, words, confidence, languages };
}

/** Turned clockwise. */
function turned(picture: Picture, quarterTurns: number): Picture {
  let { width, height, grey } = picture;
  for (let turn = 0; turn < quarterTurns; turn++) {
    const next = new Uint8Array(grey.length);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) next[x * height + (height - 1 - y)] = grey[y * width + x]!;
    [width, height, grey] = [height, width, next];
  }
  return { width, height, grey };
}

function turnedBack(line: RecognizedLine, { width, height }: Picture, quarterTurns: number): RecognizedLine {
  const back = (x: number, y: number): [number, number] => {
    if (quarterTurns === 1) return [y, height - x];
    if (quarterTurns === 2) return [width - x, height - y];
    if (quarterTurns === 3) return [width - y, x];
    return [x, y];
  };
  const words = line.words.map((word) => {
    const [ax, ay] = back(word.box[0], word.box[1]);
    const [bx, by] = back(word.box[2], word.box[3]);
    const box: typeof word.box = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
    return { ...word, box };
  });
  return { ...line, words };
}
