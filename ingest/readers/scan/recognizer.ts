/**
 * Text recognition: Tesseract's WebAssembly in this very process, without tesseract.js' worker. A reader may start no thread
 * (Node's permission model would not hold within it), and the worker is also what would fetch a language from a server. Here
 * program and language are read from the packages on the disk; neither has a way to the network.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';

/** Grey, one byte per pixel, 0 is black, rows from the top. */
export type Picture = { width: number; height: number; grey: Uint8Array };

/** `box` in pixels of the picture: left, top, right, bottom. `confidence` from 0 to 100. */
export type RecognizedWord = { text: string; confidence: number; box: [number, number, number, number] };
export type RecognizedLine = { words: RecognizedWord[]; startsParagraph: boolean };

/** From now on; whichever ends first. Processor time is what the work is worth, the clock is what a person waits. */
export type Deadline = { processorMs: number; clockMs: number };

/** `all`: every language whose data is installed at once, which takes as many times as long. */
export type Languages = 'english' | 'all';

export type Recognizer = {
  /** Whether there is another language than English. */
  hasOthers(): boolean;
  /**
   * The lines of an upright picture in reading order, columns one after the other; null when the deadline has passed. It looks
   * at the clock once per word: before the first one it may run on for some seconds, bounded by the picture's pixels.
   */
  recognize(picture: Picture, deadline: Deadline, languages?: Languages): Promise<RecognizedLine[] | null>;
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

const lstmOnly = 1;
const automaticLayout = 3;

class DeadlinePassed extends Error {}

/** Nothing is loaded before the first picture. `dataFolder`: a folder for each language; absent = the installed packages. */
export function createRecognizer(dataFolder: string = installedData()): Recognizer {
  const program = lazily(loadProgram);
  const names = lazily(() => languagesIn(dataFolder));
  let processorEndsMs = Number.POSITIVE_INFINITY;
  let clockEndsMs = Number.POSITIVE_INFINITY;
  const running = new Map<Languages, { tesseract: Tesseract; api: InstanceType<Tesseract['TessBaseAPI']> }>();

  async function start(languages: Languages) {
    const chosen = languages === 'all' ? names() : [english];
    const tesseract = await program().create({
      wasmBinary: program().wasm,
      // Called after each word. Thrown through the WebAssembly it ends the work; that instance is then thrown away.
      TesseractProgress() {
        if (processorMs() > processorEndsMs || performance.now() > clockEndsMs) throw new DeadlinePassed();
      },
      print() {},
      printErr() {},
    });
    for (const name of chosen)
      tesseract.FS.writeFile(`./${name}.traineddata`, gunzipSync(readFileSync(dataOf(dataFolder, name))));
    const api = new tesseract.TessBaseAPI();
    if (api.Init(null, chosen.join('+'), lstmOnly) !== 0)
      throw new Error('Text recognition did not take its language data.');
    api.SetPageSegMode(automaticLayout);
    // Words in white on black are looked for without it too; with it a page of noise is read twice.
    api.SetVariable('tessedit_do_invert', '0');
    return { tesseract, api };
  }

  return {
    hasOthers: () => names().length > 1,
    async recognize(picture, deadline, languages = 'english') {
      // What was said of the progress must leave before this thread is busy for seconds.
      await nextTurn();
      processorEndsMs = processorMs() + deadline.processorMs;
      clockEndsMs = performance.now() + deadline.clockMs;
      const instance = running.get(languages) ?? (await start(languages));
      running.set(languages, instance);
      const { tesseract, api } = instance;
      try {
        tesseract.FS.writeFile('/input', toPgm(picture));
        if (api.SetImageFile(1, 0) !== 0 || api.Recognize(null) !== 0)
          throw new Error('Text recognition refused a page.');
        const lines = linesOf(JSON.parse(api.GetJSONText()));
        api.Clear();
        return lines;
      } catch (error) {
        running.delete(languages); // its memory is in no known state
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

const english = 'eng';
/** More at once would take minutes for a page. */
const mostLanguages = 4;

/** Where npm puts the packages `@tesseract.js-data/eng`, `…/fra` and so on: each that is installed is used. */
function installedData(): string {
  return dirname(dirname(createRequire(import.meta.url).resolve('@tesseract.js-data/eng/package.json')));
}

function dataOf(dataFolder: string, name: string): string {
  return join(dataFolder, name, '4.0.0_best_int', `${name}.traineddata.gz`);
}

/** English, then the others by name. */
function languagesIn(dataFolder: string): string[] {
  const others = readdirSync(dataFolder)
    .filter(
      (name) => /^[a-z]{3}(?:_[a-z]{3,4})?$/i.test(name) && name !== english && existsSync(dataOf(dataFolder, name)),
    )
    .sort();
  return [english, ...others].slice(0, mostLanguages);
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
