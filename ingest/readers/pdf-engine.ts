/** pdf.js, with all that keeps a hostile file in its bounds, and what its build for today's browsers wants of an older runtime. */
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PDFDocumentLoadingTask } from 'pdfjs-dist';

export type { PDFDocumentProxy, PDFPageProxy } from 'pdfjs-dist';

const folder = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'));

/**
 * Loads pdf.js, in the shortest of its builds: each reader does it anew, and most PDFs are read in less time than that. Without
 * its advice to take the `legacy` build, which takes twice as long, for what this runtime has or `addMissingMethods` adds.
 */
async function loadQuietly(): Promise<typeof import('pdfjs-dist')> {
  // In a variable, for this file of the package has no types of its own.
  const build: string = 'pdfjs-dist/build/pdf.min.mjs';
  const { warn } = console;
  console.warn = () => {};
  try {
    const loaded: typeof import('pdfjs-dist') = await import(/* @vite-ignore */ build);
    loaded.GlobalWorkerOptions.workerSrc = pathToFileURL(join(folder, 'build/pdf.worker.min.mjs')).href;
    return loaded;
  } finally {
    console.warn = warn;
  }
}

const { getDocument, OPS, PasswordException } = await loadQuietly();

export { OPS, PasswordException };

/** pdf.js leaves out pictures above it before it decodes them. */
const mostPixelsOfImage = 80e6;

/** Starts to open a PDF. The task must be destroyed. */
export function openPdf(bytes: Uint8Array): PDFDocumentLoadingTask {
  addMissingMethods();
  return getDocument({
    // pdf.js takes the buffer away from us, so it must own it whole.
    data: bytes.byteLength === bytes.buffer.byteLength && !Buffer.isBuffer(bytes) ? bytes : new Uint8Array(bytes),
    // As paths, not addresses: pdf.js for Node opens them with fs. Without the maps CJK text has no characters.
    cMapUrl: join(folder, 'cmaps') + sep,
    cMapPacked: true,
    standardFontDataUrl: join(folder, 'standard_fonts') + sep,
    useSystemFonts: false,
    disableFontFace: true,
    // The names of a font's glyphs, for those that pdf.js has no letter for (`pdf-glyphs.ts`).
    fontExtraProperties: true,
    useWorkerFetch: false,
    wasmUrl: join(folder, 'wasm') + sep, // for the pictures of scanned pages
    maxImageSize: mostPixelsOfImage,
    isOffscreenCanvasSupported: false,
    isImageDecoderSupported: false,
    verbosity: 0,
  });
}

let isComplete = false;

/** Methods of the language (ES2026) that pdf.js calls and Node 24 does not have; each only where it is missing. */
function addMissingMethods(): void {
  if (isComplete) return;
  isComplete = true;
  for (const maps of [Map.prototype, WeakMap.prototype] as Map<unknown, unknown>[]) {
    addMethod(maps, 'getOrInsert', function (this: Map<unknown, unknown>, key: unknown, value: unknown) {
      if (!this.has(key)) this.set(key, value);
      return this.get(key);
    });
    addMethod(
      maps,
      'getOrInsertComputed',
      function (this: Map<unknown, unknown>, key: unknown, compute: (key: unknown) => unknown) {
        if (!this.has(key)) this.set(key, compute(key));
        return this.get(key);
      },
    );
  }
  addMethod(Math, 'sumPrecise', (numbers: Iterable<number>) => {
    let sum = 0;
    for (const number of numbers) sum += number;
    return sum;
  });
  for (const encoding of ['hex', 'base64'] as const) {
    const name = encoding === 'hex' ? 'Hex' : 'Base64';
    addMethod(Uint8Array, `from${name}`, (text: string) => new Uint8Array(Buffer.from(text, encoding)));
    addMethod(Uint8Array.prototype, `to${name}`, function (this: Uint8Array) {
      return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString(encoding);
    });
    addMethod(Uint8Array.prototype, `setFrom${name}`, function (this: Uint8Array, text: string) {
      const bytes = Buffer.from(text, encoding).subarray(0, this.length);
      this.set(bytes);
      return { read: encoding === 'hex' ? bytes.length * 2 : text.length, written: bytes.length };
    });
  }
}

function addMethod(owner: object, name: string, method: (...given: never[]) => unknown): void {
  if (name in owner) return;
  Object.defineProperty(owner, name, { value: method, writable: true, configurable: true });
}
