/**
 * Text recognition: Tesseract's WebAssembly in this very process, without tesseract.js' worker. A reader may start no thread
 * (Node's permission model would not hold within it), and the worker is also what would fetch a language from a server. Here
 * program and language are read from the packages on the disk; neither has a way to the network.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { english } from './languages.ts';

/** Grey, one byte per pixel, 0 is black, rows from the top. */
export type Picture = { width: number; height: number; grey: Uint8Array };

/** `box` in pixels of the picture: left, top, right, bottom. `confidence` from 0 to 100. */
export type RecognizedWord = { text: string; confidence: number; box: [number, number, number, number] };
export type RecognizedLine = { words: RecognizedWord[]; startsParagraph: boolean };

/** From now on; whichever ends first. Processor time is what the work is worth, the clock is what a person waits. */
export type Deadline = { processorMs: number; clockMs: number };

export type Recognizer = {
  /** Those whose data is there, as Tesseract names them: English, which comes with Quoth, and what is installed. */
  languages(): readonly string[];
  /**
   * The lines of an upright picture in reading order, columns one after the other; null when the deadline has passed. It looks
   * at the clock once per word: before the first one it may run on for some seconds, bounded by the picture's pixels. `languages`:
   * all at once, the likeliest first; each takes its time.
   */
  recognize(picture: Picture, deadline: Deadline, languages: readonly string[]): Promise<RecognizedLine[] | null>;
};

type Tesseract = {
  FS: { writeFile(path: string, data: Uint8Array): void };
  TessBaseAPI: new () => {
    Init(folder: null, languages: string, engine: number): number;
    SetPageSegMode(mode: number): void;
    SetVariable(name: string, value: string): boolean;
    SetImageFile(exif: number, angle: number): number;
    Recognize(monitor: null): number;
    GetJSONText(): string;
    Clear(): void;
  };
};
type CreateTesseract = (options: {
  wasmBinary: Uint8Array;
  TesseractProgress: () => void;
  print: () => void;
  printErr: () => void;
}) => Promise<Tesseract>;

/** The one thing of it that is used; Node's types do not name it. */
declare const WebAssembly: { validate(bytes: Uint8Array): boolean };

type Running = {
  tesseract: Tesseract;
  api: InstanceType<Tesseract['TessBaseAPI']>;
  /** Whose data its file system has. */
  written: Set<string>;
  /** What it is set to, joined by `+`. */
  languages: string;
};

const lstmOnly = 1;
const automaticLayout = 3;

class DeadlinePassed extends Error {}

/** Nothing is loaded before the first picture. `scanFolders`: each with data of a language, beside the English that is ours. */
export function createRecognizer(scanFolders: readonly string[] = []): Recognizer {
  const program = lazily(loadProgram);
  const files = lazily(() => dataIn(scanFolders));
  let processorEndsMs = Number.POSITIVE_INFINITY;
  let clockEndsMs = Number.POSITIVE_INFINITY;
  let running: Running | null = null;

  async function start(): Promise<Running> {
    const tesseract = await program().create({
      wasmBinary: program().wasm,
      // Called after each word. Thrown through the WebAssembly it ends the work; that instance is then thrown away.
      TesseractProgress() {
        if (processorMs() > processorEndsMs || performance.now() > clockEndsMs) throw new DeadlinePassed();
      },
      print() {},
      printErr() {},
    });
    return { tesseract, api: new tesseract.TessBaseAPI(), written: new Set(), languages: '' };
  }

  /** One program for all languages: another set of them takes it some hundredths of a second, another program 100 MB. */
  function speak(instance: Running, languages: readonly string[]): void {
    const chosen = languages.join('+');
    if (instance.languages === chosen) return;
    for (const name of languages.flatMap((language) => [language, `${language}_vert`])) {
      const file = files().get(name);
      if (!file || instance.written.has(name)) continue;
      instance.tesseract.FS.writeFile(`./${name}.traineddata`, inflated(file));
      instance.written.add(name);
    }
    if (instance.api.Init(null, chosen, lstmOnly) !== 0)
      throw new Error('Text recognition did not take its language data.');
    instance.api.SetPageSegMode(automaticLayout);
    // Words in white on black are looked for without it too; with it a page of noise is read twice.
    instance.api.SetVariable('tessedit_do_invert', '0');
    instance.languages = chosen;
  }

  return {
    languages: () => [...files().keys()].filter((name) => !name.endsWith('_vert')),
    async recognize(picture, deadline, languages) {
      // What was said of the progress must leave before this thread is busy for seconds.
      await nextTurn();
      processorEndsMs = processorMs() + deadline.processorMs;
      clockEndsMs = performance.now() + deadline.clockMs;
      running ??= await start();
      const { tesseract, api } = running;
      try {
        speak(running, languages);
        tesseract.FS.writeFile('/input', toPgm(picture));
        if (api.SetImageFile(1, 0) !== 0 || api.Recognize(null) !== 0)
          throw new Error('Text recognition refused a page.');
        const lines = linesOf(JSON.parse(api.GetJSONText()));
        api.Clear();
        return lines;
      } catch (error) {
        running = null; // its memory is in no known state
        if (error instanceof DeadlinePassed) return null;
        throw error;
      }
    },
  };
}

/** What this process has used of the processor. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The fastest program that this processor and runtime can run. */
function loadProgram(): { create: CreateTesseract; wasm: Uint8Array } {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve('tesseract.js-core/package.json'));
  for (const name of ['tesseract-core-relaxedsimd-lstm', 'tesseract-core-simd-lstm', 'tesseract-core-lstm']) {
    const wasm = readFileSync(join(folder, `${name}.wasm`));
    if (WebAssembly.validate(wasm)) return { create: require(join(folder, `${name}.js`)) as CreateTesseract, wasm };
  }
  throw new Error('This runtime has no WebAssembly.');
}

const dataFile = /^([a-z]{3}(?:_[a-z]{3,4})?)\.traineddata\.gz$/;
const mostFiles = 100;
/** The largest of the data that there is has 15 MB. */
const mostDataBytes = 64e6;

/** The files of data by the languages' names: English of its package, then what lies in the folders. */
function dataIn(folders: readonly string[]): Map<string, string> {
  const ours = createRequire(import.meta.url).resolve('@tesseract.js-data/eng/package.json');
  const found = new Map([[english, join(dirname(ours), '4.0.0_best_int', `${english}.traineddata.gz`)]]);
  for (const folder of folders)
    for (const file of namesIn(folder)) {
      const name = dataFile.exec(file)?.[1];
      if (name && !found.has(name) && found.size < mostFiles) found.set(name, join(folder, file));
    }
  return found;
}

/** A folder that was removed since costs its language, not the document. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function inflated(file: string): Uint8Array {
  return gunzipSync(readFileSync(file), { maxOutputLength: mostDataBytes });
}

function toPgm({ width, height, grey }: Picture): Uint8Array {
  const head = new TextEncoder().encode(`P5\n${width} ${height}\n255\n`);
  const file = new Uint8Array(head.length + grey.length);
  file.set(head);
  file.set(grey, head.length);
  return file;
}

type JsonWord = { text: string; confidence: number; bbox: { x0: number; y0: number; x1: number; y1: number } };
type JsonPage = { blocks?: { paragraphs?: { lines?: { words?: JsonWord[] }[] }[] }[] | null };

function linesOf(page: JsonPage): RecognizedLine[] {
  const lines: RecognizedLine[] = [];
  for (const block of page.blocks ?? [])
    for (const paragraph of block.paragraphs ?? [])
      for (const [index, line] of (paragraph.lines ?? []).entries())
        lines.push({
          startsParagraph: index === 0,
          words: (line.words ?? []).map(({ text, confidence, bbox }) => ({
            text: text.trim(),
            confidence,
            box: [bbox.x0, bbox.y0, bbox.x1, bbox.y1],
          })),
        });
  return lines;
}

function lazily<T>(load: () => T): () => T {
  let loaded: { value: T } | null = null;
  return () => {
    loaded ??= { value: load() };
    return loaded.value;
  };
}
