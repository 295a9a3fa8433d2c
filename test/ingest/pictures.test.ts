import { crc32, deflateSync } from 'node:zlib';
import { createCanvas } from '@napi-rs/canvas';
import { describe, expect, test } from 'vitest';
import { readMember } from '../../ingest/readers/read-document.ts';
import { drawScan } from '../fakes/scanned-pdf.ts';
import { recallOfWords, textOf } from './data.ts';

const lines = [
  'Receipt for the ferry to Skellig',
  'Paid 18,250 crowns on 14 March',
  'Two ducks and one goose on board',
];

type Pixels = { width: number; height: number; rgba: Uint8ClampedArray };

/** Words as on a screen: 22 pixels high. */
function drawScreen(paper = '#ffffff', ink = '#111111'): Pixels {
  const canvas = createCanvas(700, 260);
  const context = canvas.getContext('2d');
  drawScan([]); // registers the font
  context.fillStyle = paper;
  context.fillRect(0, 0, 700, 260);
  context.fillStyle = ink;
  context.font = '22px "Scan Sans"';
  for (const [index, line] of lines.entries()) context.fillText(line, 40, 60 + 60 * index);
  return { width: 700, height: 260, rgba: context.getImageData(0, 0, 700, 260).data };
}

/** A PNG whose rows take turns in their filters. `type`: 0 grey, 2 colours, 3 palette of two, 4 grey and alpha, 6 all. */
function pngOf({ width, height, rgba }: Pixels, type: 0 | 2 | 3 | 4 | 6, interlaced = 0): Uint8Array {
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[type];
  const rows: Uint8Array[] = [];
  let above: Uint8Array = Buffer.alloc(width * channels);
  for (let y = 0; y < height; y++) {
    const row: Uint8Array = Buffer.alloc(width * channels);
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      const pixel = { 0: [0], 2: [0, 1, 2], 3: [0], 4: [0, 3], 6: [0, 1, 2, 3] }[type].map((part) => rgba[at + part]!);
      row.set(type === 3 ? [pixel[0]! > 127 ? 1 : 0] : pixel, x * channels);
    }
    const filter = y % 5;
    const filtered = row.map((value, x) => {
      const [a, b] = [x >= channels ? row[x - channels]! : 0, above[x]!];
      const c = x >= channels ? above[x - channels]! : 0;
      const near = [a, b, c].sort((one, other) => Math.abs(a + b - c - one) - Math.abs(a + b - c - other));
      const best = Math.abs(a + b - c - a) <= Math.abs(a + b - c - near[0]!) ? a : near[0]!;
      return value - [0, a, b, (a + b) >> 1, best][filter]!;
    });
    rows.push(Buffer.from([filter]), filtered);
    above = row;
  }
  const chunk = (name: string, body: Uint8Array): Buffer => {
    const named = Buffer.concat([Buffer.from(name), body]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(body.length);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, type, 0, 0, interlaced], 8);
  return new Uint8Array(
    Buffer.concat([
      Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      chunk('IHDR', head),
      ...(type === 3 ? [chunk('PLTE', Buffer.from([10, 10, 10, 250, 250, 250]))] : []),
      chunk('IDAT', deflateSync(Buffer.concat(rows))),
      chunk('IEND', Buffer.alloc(0)),
    ]),
  );
}

describe('a picture with words', { timeout: 120_000 }, () => {
  test('as a JPEG of a page is read, with the places of its words', async () => {
    const { jpeg } = drawScan(lines);
    const result = await readMember(jpeg, 'receipt.jpg');
    expect(textOf(result)).toContain('Paid 18,250 crowns on 14 March');
    expect(result).toMatchObject({ type: 'read', kind: 'image', numPages: 1, title: 'receipt' });
    expect(result.type === 'read' && result.scannedPages?.[0]?.words.length).toBe(19);
  });

  test.each([0, 2, 3, 4, 6] as const)('as a PNG of type %d is read, whatever its filters', async (type) => {
    const result = await readMember(pngOf(drawScreen(), type), 'screen.png');
    // In two tones letters have stairs: one may be taken for another.
    expect(recallOfWords(lines.join(' '), textOf(result))).toBeGreaterThan(0.9);
  });

  test('in white on black is read too', async () => {
    const result = await readMember(pngOf(drawScreen('#101014', '#f4f4f4'), 2), 'dark.png');
    expect(textOf(result)).toContain('Two ducks and one goose');
  });
});

describe('a picture that cannot be read', () => {
  test('says why: no words, cut short, interlaced, another kind', async () => {
    const blank = { width: 300, height: 200, rgba: new Uint8ClampedArray(300 * 200 * 4).fill(255) };
    expect(await readMember(pngOf(blank, 2), 'blank.png')).toMatchObject({ kind: 'image', reason: 'no-text' });
    const whole = pngOf(drawScreen(), 2);
    expect(await readMember(whole.subarray(0, 900), 'cut.png')).toMatchObject({ kind: 'image', reason: 'damaged' });
    expect(await readMember(pngOf(blank, 2, 1), 'woven.png')).toMatchObject({ kind: 'image', reason: 'unsupported' });
    expect(await readMember(Buffer.from('GIF89a'), 'film.gif')).toMatchObject({ reason: 'unsupported' });
    expect(await readMember(Buffer.from('no picture'), 'text.jpg')).toMatchObject({ kind: 'image', reason: 'damaged' });
  });

  test('is refused by the size that it claims, before a pixel is unpacked', async () => {
    const small = pngOf({ width: 1, height: 1, rgba: new Uint8ClampedArray(4) }, 2);
    new DataView(small.buffer).setUint32(16, 100_000);
    new DataView(small.buffer).setUint32(20, 100_000);
    expect(await readMember(small, 'huge.png')).toMatchObject({ kind: 'image', reason: 'too-large' });
  });
});
