/**
 * The pictures of a PDF's page, and one grey picture of the page made of them. Pages are not drawn with a canvas: it is
 * native code, which a reader may not load, and a scan is its pictures and nothing else.
 */
import { OPS, type PDFPageProxy } from '../pdf-engine.ts';
import type { Picture } from './recognizer.ts';

type Matrix = [number, number, number, number, number, number];

/** A picture and where it lies: `matrix` takes the unit square to the upright page, in points from its upper left. */
type PlacedImage = { matrix: Matrix; image: DecodedImage; isMask: boolean };

/** As pdf.js decodes it; `kind` 1: a bit per pixel, rows in whole bytes; 2: RGB; 3: RGBA. */
type DecodedImage = { width: number; height: number; kind: number; data: Uint8Array | Uint8ClampedArray };

export type PageImages = {
  widthPoints: number;
  heightPoints: number;
  /** The share of the page that lies under pictures: of the sum of their bounds, at most 1. */
  coverage: number;
  images: PlacedImage[];
};

/** More are a map or a pattern. A scan has one, or some dozen strips. */
const mostImages = 400;
const mostPixelsOfImage = 80e6;
const mostPixelsOfPage = 100e6;

/** Decodes the pictures of a page. What cannot be decoded is left out. */
export async function imagesOfPage(page: PDFPageProxy): Promise<PageImages> {
  const viewport = page.getViewport({ scale: 1 });
  const found: PageImages = { widthPoints: viewport.width, heightPoints: viewport.height, coverage: 0, images: [] };
  const { fnArray, argsArray } = await page.getOperatorList();
  const stack: Matrix[] = [];
  let matrix = viewport.transform as Matrix;
  let isDark = true; // of what a mask is filled with
  let numPixels = 0;
  for (let at = 0; at < fnArray.length && found.images.length < mostImages; at++) {
    const args: unknown[] = argsArray[at] ?? [];
    switch (fnArray[at]) {
      case OPS.save:
        stack.push(matrix);
        break;
      case OPS.restore:
      case OPS.paintFormXObjectEnd:
        matrix = stack.pop() ?? matrix;
        break;
      case OPS.transform:
        matrix = multiply(matrix, toMatrix(args));
        break;
      case OPS.paintFormXObjectBegin:
        stack.push(matrix);
        matrix = multiply(matrix, toMatrix(args[0]));
        break;
      case OPS.setFillRGBColor:
        isDark = isDarkColor(args);
        break;
      case OPS.paintImageXObject:
      case OPS.paintInlineImageXObject:
      case OPS.paintImageMaskXObject: {
        const isMask = fnArray[at] === OPS.paintImageMaskXObject;
        const image = await decoded(page, args[0]);
        if (!image || (isMask && !isDark)) break;
        numPixels += image.width * image.height;
        if (numPixels > mostPixelsOfPage) return found;
        found.images.push({ matrix, image, isMask });
        found.coverage = Math.min(1, found.coverage + shareOf(matrix, viewport.width, viewport.height));
      }
    }
  }
  return found;
}

/** `args[0]` is the picture itself or the name under which pdf.js keeps it. */
async function decoded(page: PDFPageProxy, arg: unknown): Promise<DecodedImage | null> {
  const held = isObject(arg) && typeof arg.data === 'string' ? arg.data : arg;
  let image: unknown = held;
  if (typeof held === 'string') {
    const objects = held.startsWith('g_') ? page.commonObjs : page.objs;
    image = await new Promise((resolve) => {
      objects.get(held, resolve);
    });
  }
  if (!isObject(image)) return null;
  const { width, height, data } = image;
  const kind = image.kind ?? 1; // a mask has none
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) return null;
  if (!isSize(width) || !isSize(height) || width * height > mostPixelsOfImage) return null;
  const needed = kind === 1 ? ((width + 7) >> 3) * height : width * height * (kind === 2 ? 3 : 4);
  if ((kind !== 1 && kind !== 2 && kind !== 3) || data.length < needed) return null;
  return { width, height, kind, data };
}

/**
 * The page as one picture: as many dots per inch as its finest picture has, between 150 and 300, and no more than `mostPixels`.
 * `scale`: pixels per point.
 */
export function drawPage(found: PageImages, mostPixels: number): { picture: Picture; scale: number } {
  const { widthPoints, heightPoints, images } = found;
  const finest = Math.max(...images.map(({ matrix: [a, b], image }) => image.width / Math.max(1, Math.hypot(a, b))));
  const wanted = Math.min(300 / 72, Math.max(200 / 72, finest));
  const scale = Math.min(wanted, Math.sqrt(mostPixels / (widthPoints * heightPoints)));
  const width = Math.max(1, Math.floor(widthPoints * scale));
  const height = Math.max(1, Math.floor(heightPoints * scale));
  const grey = new Uint8Array(width * height).fill(255);
  for (const placed of images) drawImage({ width, height, grey }, placed, scale);
  return { picture: { width, height, grey }, scale };
}

function drawImage(page: Picture, { matrix, image, isMask }: PlacedImage, scale: number): void {
  const [a, b, c, d, e, f] = matrix.map((value) => value * scale) as Matrix;
  const determinant = a * d - b * c;
  if (!(Math.abs(determinant) > 1)) return;
  const left = Math.max(0, Math.floor(Math.min(e, e + a, e + c, e + a + c)));
  const right = Math.min(page.width, Math.ceil(Math.max(e, e + a, e + c, e + a + c)));
  const top = Math.max(0, Math.floor(Math.min(f, f + b, f + d, f + b + d)));
  const bottom = Math.min(page.height, Math.ceil(Math.max(f, f + b, f + d, f + b + d)));
  const greyAt = greyOf(image);
  // A pixel of the page is the mean of so many by so many points within it, so that fine strokes are not lost.
  const step = Math.sqrt((image.width * image.height) / Math.abs(determinant));
  const samples = Math.min(4, Math.max(1, Math.round(step)));
  const isCoarse = step < 0.9 && !isMask;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      let sum = 0;
      let count = 0;
      for (let sample = 0; sample < samples * samples; sample++) {
        const dx = x + ((sample % samples) + 0.5) / samples - e;
        const dy = y + (Math.floor(sample / samples) + 0.5) / samples - f;
        // The unit square's y points up, the rows of a picture run down.
        const u = ((d * dx - c * dy) / determinant) * image.width;
        const v = (1 - (a * dy - b * dx) / determinant) * image.height;
        if (!(u >= 0 && v >= 0 && u < image.width && v < image.height)) continue;
        sum += isCoarse ? between(image, greyAt, u, v) : greyAt(Math.floor(u), Math.floor(v));
        count += 1;
      }
      if (count === 0) continue;
      const at = y * page.width + x;
      const mean = sum / count;
      page.grey[at] = isMask ? Math.min(page.grey[at]!, mean) : mean;
    }
  }
}

/** A value between the four nearest pixels: a coarse fax that is made larger must not get stairs. */
function between(image: DecodedImage, greyAt: (x: number, y: number) => number, u: number, v: number): number {
  const x = Math.min(image.width - 1, Math.max(0, u - 0.5));
  const y = Math.min(image.height - 1, Math.max(0, v - 0.5));
  const [x0, y0] = [Math.floor(x), Math.floor(y)];
  const [x1, y1] = [Math.min(image.width - 1, x0 + 1), Math.min(image.height - 1, y0 + 1)];
  const upper = greyAt(x0, y0) * (1 - x + x0) + greyAt(x1, y0) * (x - x0);
  const lower = greyAt(x0, y1) * (1 - x + x0) + greyAt(x1, y1) * (x - x0);
  return upper * (1 - y + y0) + lower * (y - y0);
}

/** In a mask a 0 is paint, in a picture of bits it is black: the same. */
function greyOf({ width, kind, data }: DecodedImage): (x: number, y: number) => number {
  const rowBytes = (width + 7) >> 3;
  if (kind === 1) return (x, y) => ((data[y * rowBytes + (x >> 3)]! >> (7 - (x & 7))) & 1 ? 255 : 0);
  const size = kind === 2 ? 3 : 4;
  return (x, y) => {
    const at = (y * width + x) * size;
    const grey = (77 * data[at]! + 150 * data[at + 1]! + 29 * data[at + 2]!) >> 8;
    // What is see-through shows the paper.
    return size === 3 ? grey : 255 - (((255 - grey) * data[at + 3]!) >> 8);
  };
}

/** `first`, after `then`: as in PDF, what comes later is applied to the point first. */
function multiply(first: Matrix, then: Matrix): Matrix {
  const [a, b, c, d, e, f] = first;
  const [g, h, i, j, k, l] = then;
  return [a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * l + e, b * k + d * l + f];
}

function toMatrix(value: unknown): Matrix {
  const numbers = Array.isArray(value) || ArrayBuffer.isView(value) ? Array.from(value as ArrayLike<unknown>) : [];
  return numbers.length === 6 && numbers.every((number) => Number.isFinite(number))
    ? (numbers as Matrix)
    : [1, 0, 0, 1, 0, 0];
}

function shareOf([a, b, c, d, e, f]: Matrix, width: number, height: number): number {
  const clip = (value: number, most: number) => Math.min(most, Math.max(0, value));
  const xs = [e, e + a, e + c, e + a + c].map((x) => clip(x, width));
  const ys = [f, f + b, f + d, f + b + d].map((y) => clip(y, height));
  return ((Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys))) / (width * height);
}

/** pdf.js gives "#rrggbb", or three numbers up to 255. */
function isDarkColor(args: unknown[]): boolean {
  const [color] = args;
  const hex = typeof color === 'string' ? /^#([0-9a-f]{6})$/i.exec(color)?.[1] : undefined;
  const parts = hex ? [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) : args.map(Number);
  return parts.length < 3 || parts[0]! * 0.3 + parts[1]! * 0.59 + parts[2]! * 0.11 < 160;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isSize(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0;
}
