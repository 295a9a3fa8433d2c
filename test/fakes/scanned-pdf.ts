/**
 * PDFs with scanned pages: text drawn with a canvas, kept as a JPEG, put onto a Letter page (612 × 792 points), and where each
 * word was drawn.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createCanvas, GlobalFonts } from '@napi-rs/canvas';
import type { ScannedWord } from '../../ingest/source.ts';

export type Scan = { jpeg: Uint8Array; width: number; height: number; words: ScannedWord[] };
export type ScanStyle = {
  dotsPerInch?: number;
  /** Clockwise, about the page's middle. */
  degrees?: number;
  /** One of the system's; absent = a Latin one of ours. */
  font?: string;
  /** The share of pixels that are black or white at random. */
  noise?: number;
};

const pdfjsFolder = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'));
GlobalFonts.registerFromPath(join(pdfjsFolder, 'standard_fonts/LiberationSans-Regular.ttf'), 'Scan Sans');

/** Lines of 12 point letters, the first 100 points below the upper edge, 24 points apart, from x = 72. */
export function drawScan(lines: readonly string[], style: ScanStyle = {}): Scan {
  const { dotsPerInch = 200, degrees = 0, noise = 0, font = 'Scan Sans' } = style;
  const scale = dotsPerInch / 72;
  const canvas = createCanvas(Math.round(612 * scale), Math.round(792 * scale));
  const context = canvas.getContext('2d');
  context.fillStyle = '#f6f4ee';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(scale, scale);
  const radians = (degrees * Math.PI) / 180;
  context.translate(306, 396);
  context.rotate(radians);
  context.translate(-306, -396);
  context.fillStyle = '#222';
  context.font = `12px "${font}"`;
  const words: ScannedWord[] = [];
  for (const [index, line] of lines.entries()) {
    const y = 100 + 24 * index;
    let x = 72;
    for (const word of line.split(' ')) {
      context.fillText(word, x, y);
      const width = context.measureText(word).width;
      words.push({ text: word, box: boundsOf(x, y - 9, x + width, y + 3, radians) });
      x += width + context.measureText(' ').width;
    }
  }
  if (noise > 0) {
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    let seed = 7;
    for (let at = 0; at < pixels.data.length; at += 4) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      if (seed / 2 ** 32 >= noise) continue;
      pixels.data.fill(seed & 0x10000 ? 0 : 255, at, at + 3);
    }
    context.putImageData(pixels, 0, 0);
  }
  return { jpeg: canvas.encodeSync('jpeg', 85), width: canvas.width, height: canvas.height, words };
}

function boundsOf(left: number, top: number, right: number, bottom: number, radians: number): ScannedWord['box'] {
  const corners = [left, right].flatMap((x) => [top, bottom].map((y) => [x - 306, y - 396] as const));
  const xs = corners.map(([x, y]) => 306 + x * Math.cos(radians) - y * Math.sin(radians));
  const ys = corners.map(([x, y]) => 396 + x * Math.sin(radians) + y * Math.cos(radians));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Pages of plain lines and of scans, in one file. A scan fills its page. `turned`: all pages lie on their side in the file. */
export function makeMixedPdf(pages: readonly (string[] | Scan)[], turned = false): Uint8Array {
  const objects: Buffer[] = [
    Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
    Buffer.from(
      `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, n) => `${4 + 3 * n} 0 R`).join(' ')}] >>`,
    ),
    Buffer.from('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'),
  ];
  for (const [n, page] of pages.entries()) {
    const content = Array.isArray(page)
      ? page
          .map((line, at) => `BT /F1 12 Tf 72 ${692 - 24 * at} Td (${line.replace(/[()\\]/g, '\\$&')}) Tj ET`)
          .join('\n')
      : turned
        ? 'q 0 612 -792 0 792 0 cm /Scan Do Q'
        : 'q 612 0 0 792 0 0 cm /Scan Do Q';
    const box = turned ? '[0 0 792 612] /Rotate 90' : '[0 0 612 792]';
    objects.push(
      Buffer.from(
        `<< /Type /Page /Parent 2 0 R /MediaBox ${box} /Contents ${5 + 3 * n} 0 R /Resources << /Font << /F1 3 0 R >> /XObject << /Scan ${6 + 3 * n} 0 R >> >> >>`,
      ),
      stream('', Buffer.from(content)),
      Array.isArray(page)
        ? Buffer.from('null')
        : stream(
            `/Type /XObject /Subtype /Image /Width ${page.width} /Height ${page.height} /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode`,
            page.jpeg,
          ),
    );
  }
  const parts = [Buffer.from('%PDF-1.4\n')];
  let size = parts[0]!.length;
  const offsets = objects.map((object, index) => {
    const offset = size;
    const part = Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), object, Buffer.from('\nendobj\n')]);
    parts.push(part);
    size += part.length;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const numObjects = objects.length + 1;
  parts.push(
    Buffer.from(
      `xref\n0 ${numObjects}\n0000000000 65535 f \n${table}trailer\n<< /Size ${numObjects} /Root 1 0 R >>\nstartxref\n${size}\n%%EOF\n`,
    ),
  );
  return new Uint8Array(Buffer.concat(parts));
}

function stream(entries: string, bytes: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`<< ${entries} /Length ${bytes.length} >>\nstream\n`),
    bytes,
    Buffer.from('\nendstream'),
  ]);
}
