/**
 * PNG and JPEG files as documents of one page. The picture is wrapped into a PDF of that page and goes the way of a scan: the
 * same decoder, the same recognition, the same boxes. Of a PNG only the grey of its pixels is taken over.
 */
import { inflateSync } from 'node:zlib';
import type { OnProgress } from '../../reader-process.ts';
import type { ReadResult } from '../../source.ts';
import { readPdf } from '../pdf.ts';
import { ReadingRefused } from '../refusal.ts';
import { defaultScanLimits } from './scanned-pages.ts';

/** pdf.js leaves out a larger one; a camera's has 50 million. */
const mostPixels = 60e6;
/** Of a screen. A photo or scan is taken for a letter page, so that its long side is 11 inches. */
const screenDotsPerInch = 96;
const pageInches = 11;

export async function readPicture(
  bytes: Uint8Array,
  name: string,
  onProgress?: OnProgress,
  scanFolders: readonly string[] = [],
): Promise<ReadResult> {
  const picture = bytes[0] === 0xff ? jpegOf(bytes) : pngOf(bytes);
  if (picture.width * picture.height > mostPixels)
    throw new ReadingRefused('too-large', `It has ${picture.width} × ${picture.height} pixels.`);
  const result = await readPdf(pageOf(picture), name, onProgress, defaultScanLimits, scanFolders);
  if (result.type === 'failed') return { ...result, kind: 'image' };
  const sections = result.sections.map(({ label: _, ...section }) => section);
  return { ...result, kind: 'image', sections };
}

type PictureData = { width: number; height: number; data: Uint8Array; entries: string };

/** One page with the picture all over it. */
function pageOf({ width, height, data, entries }: PictureData): Uint8Array {
  const dotsPerInch = Math.max(screenDotsPerInch, Math.max(width, height) / pageInches);
  const [right, top] = [width, height].map((pixels) => ((pixels * 72) / dotsPerInch).toFixed(2));
  const content = `q ${right} 0 0 ${top} 0 0 cm /I Do Q`;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${right} ${top}] /Resources << /XObject << /I 5 0 R >> >> /Contents 4 0 R >>`,
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    `<< /Type /XObject /Subtype /Image /Width ${width} /Height ${height} /Length ${data.length} ${entries} >>\nstream\n`,
  ];
  let head = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = head.length;
    head += `${index + 1} 0 obj\n${object}${index < objects.length - 1 ? '\nendobj\n' : ''}`;
    return offset;
  });
  let tail = '\nendstream\nendobj\n';
  const xrefAt = head.length + data.length + tail.length;
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  tail += `xref\n0 6\n0000000000 65535 f \n${table}trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n${xrefAt}\n%%EOF\n`;
  return new Uint8Array(Buffer.concat([Buffer.from(head, 'latin1'), data, Buffer.from(tail, 'latin1')]));
}

/** ITU-T T.81: segments of a marker and a length; a frame header says the size. The rest is the decoder's. */
function jpegOf(bytes: Uint8Array): PictureData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let isAdobe = false;
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) throw new Error('A JPEG segment has no marker.');
    const marker = bytes[at + 1]!;
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    if (marker === 0xee) isAdobe = true;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) {
      const [height, width, numComponents] = [view.getUint16(at + 5), view.getUint16(at + 7), bytes[at + 9]!];
      const space = { 1: '/DeviceGray', 3: '/DeviceRGB', 4: '/DeviceCMYK' }[numComponents];
      if (!space || width === 0 || height === 0) throw new Error('The JPEG says no size.');
      const inverted = isAdobe && numComponents === 4 ? '/Decode [1 0 1 0 1 0 1 0]' : '';
      const entries = `/ColorSpace ${space} /BitsPerComponent 8 /Filter /DCTDecode ${inverted}`;
      return { width, height, data: bytes, entries };
    }
    at += 2 + view.getUint16(at + 2);
  }
  throw new Error('The JPEG ends before its picture.');
}

const channelsOfType: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** PNG (ISO/IEC 15948), not interlaced: inflated, its filters undone, each pixel as a byte of grey on white paper. */
function pngOf(bytes: Uint8Array): PictureData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, type, , , interlaced] = bytes.subarray(24, 29);
  const channels = channelsOfType[type ?? -1];
  if (!channels || !depth || ![1, 2, 4, 8, 16].includes(depth) || width === 0 || height === 0)
    throw new Error('The PNG says no size or kind.');
  if (interlaced) throw new ReadingRefused('unsupported', 'It is an interlaced PNG.');
  if (width * height > mostPixels) throw new ReadingRefused('too-large', `It has ${width} × ${height} pixels.`);
  const parts: Uint8Array[] = [];
  let palette = new Uint8Array();
  let alphas = new Uint8Array();
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, Math.min(bytes.length, at + 8 + length));
    if (name === 'IDAT') parts.push(body);
    if (name === 'PLTE') palette = new Uint8Array(body);
    if (name === 'tRNS') alphas = new Uint8Array(body);
    if (name === 'IEND') break;
    at += 12 + length;
  }
  const rowBytes = Math.ceil((width * channels * depth) / 8);
  const rows = inflateSync(Buffer.concat(parts), { maxOutputLength: (rowBytes + 1) * height + 65_536 });
  if (rows.length < (rowBytes + 1) * height) throw new Error('The PNG ends before its picture.');
  unfilter(rows, rowBytes, height, Math.max(1, (channels * depth) >> 3));
  const sample = (row: number, index: number): number => {
    const at = row * (rowBytes + 1) + 1;
    if (depth === 8) return rows[at + index]!;
    if (depth === 16) return rows[at + 2 * index]!;
    const bit = index * depth;
    const value = (rows[at + (bit >> 3)]! >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
    return type === 3 ? value : (value * 255) / ((1 << depth) - 1);
  };
  const grey = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = x * channels;
      let [red, green, blue, alpha] = [sample(y, at), 0, 0, 255];
      if (type === 3) {
        const entry = red;
        [red, green, blue] = [palette[3 * entry] ?? 0, palette[3 * entry + 1] ?? 0, palette[3 * entry + 2] ?? 0];
        alpha = alphas[entry] ?? 255;
      } else if (channels >= 3) [green, blue] = [sample(y, at + 1), sample(y, at + 2)];
      else [green, blue] = [red, red];
      if (type === 4 || type === 6) alpha = sample(y, at + channels - 1);
      const light = (77 * red + 150 * green + 29 * blue) >> 8;
      grey[y * width + x] = 255 - ((255 - light) * alpha) / 255;
    }
  return { width, height, data: asInkOnPaper(grey), entries: '/ColorSpace /DeviceGray /BitsPerComponent 8' };
}

/** Undoes the filters of all rows in place; each row begins with the number of its own. */
function unfilter(rows: Uint8Array, rowBytes: number, height: number, pixelBytes: number): void {
  for (let y = 0; y < height; y++) {
    const start = y * (rowBytes + 1) + 1;
    const filter = rows[start - 1]!;
    if (filter > 4) throw new Error('The PNG has an unknown filter.');
    for (let x = 0; filter !== 0 && x < rowBytes; x++) {
      const left = x >= pixelBytes ? rows[start + x - pixelBytes]! : 0;
      const above = y > 0 ? rows[start + x - rowBytes - 1]! : 0;
      let guess = left;
      if (filter === 2) guess = above;
      else if (filter === 3) guess = (left + above) >> 1;
      else if (filter === 4)
        guess = paeth(left, above, x >= pixelBytes && y > 0 ? rows[start + x - rowBytes - 1 - pixelBytes]! : 0);
      rows[start + x] = rows[start + x]! + guess;
    }
  }
}

/** White letters on black are turned round: recognition looks for ink on paper. */
function asInkOnPaper(grey: Uint8Array): Uint8Array {
  let sum = 0;
  for (const value of grey) sum += value;
  return sum < 110 * grey.length ? grey.map((value) => 255 - value) : grey;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}
