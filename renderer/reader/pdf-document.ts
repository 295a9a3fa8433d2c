/**
 * A PDF that can be drawn, page by page. This file alone knows pdfjs; it is loaded when the first PDF is opened. Parsing
 * happens in a worker of its own, which ends with the reader, and knows nothing but the bytes.
 */
import { getDocument, PDFWorker, type RenderTask, TextLayer } from 'pdfjs-dist/legacy/build/pdf.mjs';
import workerAddress from 'pdfjs-dist/legacy/build/pdf.worker.min.mjs?url';
import { locateQuote } from './locate-quote.ts';
import { type Box, boxesOnScan, drawnBoxes, mergeLines, type Quote } from './quote-boxes.ts';

export type Drawing = {
  /** Resolves with the boxes of the quote: none when it could not be located for certain. */
  done: Promise<Box[]>;
  cancel(): void;
};

export type OpenPdf = {
  numPages: number;
  /** Draws a page, `widthPx` wide, into `sheet`, which must be empty. */
  draw(pageNumber: number, sheet: HTMLElement, widthPx: number, quote: Quote | null): Drawing;
  close(): void;
};

const openTimeoutMs = 30_000; // pdfjs does not end on some real files.
const maxPixels = 24_000_000; // A canvas of more than this is refused by some browsers.

/** Opens a PDF. Throws when it cannot be read, needs a password, or does not answer in time. */
export async function openPdf(bytes: Uint8Array<ArrayBuffer>): Promise<OpenPdf> {
  const thread = new Worker(workerAddress, { type: 'module' });
  const files = new URL('pdf/', document.baseURI).href;
  const worker = PDFWorker.create({ port: thread });
  const task = getDocument({
    data: bytes,
    worker,
    cMapUrl: `${files}cmaps/`,
    cMapPacked: true,
    standardFontDataUrl: `${files}standard_fonts/`,
    wasmUrl: `${files}wasm/`,
    useWasm: false, // The content policy forbids to compile; the same decoders exist as plain scripts.
    enableXfa: false,
    stopAtErrors: false,
    verbosity: 0,
  });
  const close = (): void => {
    void task.destroy().catch(() => undefined);
    worker.destroy();
    thread.terminate();
  };
  try {
    const pdf = await withDeadline(task.promise, openTimeoutMs);
    return {
      numPages: pdf.numPages,
      draw: (pageNumber, sheet, widthPx, quote) => {
        let rendering: RenderTask | null = null;
        let words: TextLayer | null = null;
        let cancelled = false;
        const draw = async (): Promise<Box[]> => {
          const page = await pdf.getPage(pageNumber);
          if (cancelled) return [];
          const scale = widthPx / page.getViewport({ scale: 1 }).width;
          const viewport = page.getViewport({ scale });
          const wanted = window.devicePixelRatio || 1;
          const ratio = Math.min(wanted, Math.sqrt(maxPixels / (viewport.width * viewport.height)));
          const canvas = document.createElement('canvas');
          canvas.width = Math.floor(viewport.width * ratio);
          canvas.height = Math.floor(viewport.height * ratio);
          canvas.style.width = `${viewport.width}px`;
          canvas.style.height = `${viewport.height}px`;
          canvas.setAttribute('aria-hidden', 'true');
          const layer = document.createElement('div');
          layer.className = 'pdf-words';
          layer.style.setProperty('--total-scale-factor', String(scale));
          sheet.replaceChildren(canvas, layer);
          // Whoever cancels waits for neither: what pdf.js throws then, at any time, is no fault.
          const unlessCancelled = (thrown: unknown): void => {
            if (!cancelled) throw thrown;
          };
          const drawWords = async (): Promise<void> => {
            const textContentSource = await page.getTextContent();
            if (cancelled) return;
            words = new TextLayer({ textContentSource, container: layer, viewport });
            await words.render();
          };
          rendering = page.render({ canvas, viewport, transform: [ratio, 0, 0, ratio, 0, 0] });
          await Promise.all([rendering.promise.catch(unlessCancelled), drawWords().catch(unlessCancelled)]);
          if (cancelled || words === null || quote === null) return [];
          if (quote.boxes && quote.boxes.length > 0) return drawnBoxes(quote.boxes, scale);
          const boxes = boxesOf(quote, words, sheet);
          if (boxes.length > 0) return boxes;
          return boxesOnScan(quote, (await quote.readScan?.()) ?? [], scale);
        };
        return {
          done: draw(),
          cancel: () => {
            cancelled = true;
            rendering?.cancel();
            words?.cancel();
          },
        };
      },
      close,
    };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

/** The boxes of a quote over the words of a page, line by line. */
function boxesOf(quote: Quote, words: TextLayer, sheet: HTMLElement): Box[] {
  const place = locateQuote(words.textContentItemsStr, quote.words, quote.passageText);
  if (!place) return [];
  const origin = sheet.getBoundingClientRect();
  const boxes: Box[] = [];
  for (let part = place.from.part; part <= place.to.part; part++) {
    const node = words.textDivs[part]?.firstChild;
    if (!(node instanceof Text)) continue;
    const range = document.createRange();
    range.setStart(node, part === place.from.part ? place.from.offset : 0);
    range.setEnd(node, part === place.to.part ? Math.min(place.to.offset, node.length) : node.length);
    for (const rect of range.getClientRects())
      if (rect.width > 0.5)
        boxes.push({
          left: rect.left - origin.left - 1,
          top: rect.top - origin.top - 1,
          width: rect.width + 2,
          height: rect.height + 2,
        });
  }
  return mergeLines(boxes);
}

function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`The PDF did not open in ${timeoutMs} ms.`)), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
