import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readMember } from '../../ingest/readers/read-document.ts';
import { compoundOf, streamBytes } from './compound-of.ts';
import { bytesOf, dataFolder, filesBelow, hasData, textOf } from './data.ts';

/** A document of Word 97 whose text lies in two pieces: one in Windows' letters, one in UTF-16. */
function docOf(latin: string, wide: string, change: (document: Buffer) => void = () => undefined): Uint8Array {
  const document = Buffer.alloc(streamBytes);
  document.writeUInt16LE(0xa5ec, 0);
  document.writeUInt16LE(0xd9, 2);
  document.writeUInt16LE(0x0200, 10);
  document.writeUInt32LE(latin.length + wide.length, 0x4c);
  document.writeUInt32LE(0, 0x1a2);
  document.writeUInt32LE(5 + 12 + 16, 0x1a6);
  document.write(latin, 1024, 'latin1');
  document.write(wide, 2048, 'utf16le');
  change(document);
  const table = Buffer.alloc(streamBytes);
  table[0] = 2;
  table.writeUInt32LE(28, 1);
  for (const [at, place] of [0, latin.length, latin.length + wide.length].entries())
    table.writeUInt32LE(place, 5 + 4 * at);
  table.writeUInt32LE(((1024 * 2) | 0x40000000) >>> 0, 5 + 12 + 2);
  table.writeUInt32LE(2048, 5 + 12 + 8 + 2);
  return compoundOf([
    ['WordDocument', document],
    ['1Table', table],
  ]);
}

describe('a DOC', () => {
  test('gives paragraphs from all its pieces, rows from its cells, of fields what they show', async () => {
    const latin =
      'The pond\rIt has \u0013 HYPERLINK "http://x" \u0014twelve ducks\u0015.\rDucks\u0007Geese\u0007\u000712\u00073\u0007\u0007';
    const result = await readMember(docOf(latin, 'Das Weiße – 鴨.\r'), 'pond.doc');
    expect(textOf(result).split('\n')).toEqual([
      'The pond',
      'It has twelve ducks.',
      'Ducks | Geese',
      '12 | 3',
      'Das Weiße – 鴨.',
    ]);
    expect(result).toMatchObject({ kind: 'doc', title: 'The pond', numPages: null });
  });

  test('that is encrypted, or of another program, or none at all ends with that reason', async () => {
    const locked = docOf('x', 'y', (document) => document.writeUInt16LE(0x0300, 10));
    expect(await readMember(locked, 'a.doc')).toMatchObject({ kind: 'doc', reason: 'password' });
    const sheet = compoundOf([['Workbook', new Uint8Array(10)]]);
    expect(await readMember(sheet, 'a.doc')).toMatchObject({ reason: 'unsupported' });
    expect(await readMember(Buffer.from('plain words'), 'a.doc')).toMatchObject({ kind: 'doc', reason: 'damaged' });
    expect(await readMember(Buffer.from('{\\rtf1 Rich words.}'), 'a.doc')).toMatchObject({ type: 'read', kind: 'rtf' });
  });

  test('whose chains go round in a ring ends as damaged', async () => {
    const file = docOf('The pond\r', 'x');
    new DataView(file.buffer).setUint32(512 + 4 * 3, 2, true);
    expect(await readMember(file, 'a.doc')).toMatchObject({ reason: 'damaged' });
  });

  test('that is cut or changed anywhere ends in a state', { timeout: 60_000 }, async () => {
    const whole = docOf('The pond\rIt has ducks.\r', 'Twelve of them.\r');
    for (let at = 0; at < whole.length; at += 97) {
      await readMember(whole.subarray(0, at), 'a.doc');
      const changed = whole.slice();
      changed[at] = changed[at]! ^ 0xff;
      const result = await readMember(changed, 'a.doc');
      expect(['read', 'failed']).toContain(result.type);
    }
  });
});

describe.skipIf(!hasData)('real DOC files', () => {
  const read = async (name: string) =>
    textOf(await readMember(bytesOf(join(dataFolder, 'documents/office/poi_word', name)), name));

  test('are read in Latin, Cyrillic, Hebrew and Japanese letters, from Word 6 on', async () => {
    expect(await read('Word6.doc')).toBe('The quick brown fox jumps over the lazy dog');
    expect(await read('Bug34898.doc')).toBe('ディレクトリ');
    expect(await read('Bug45473.doc')).toContain('וינוגרד');
    expect(await read('Bug46610_3.doc')).toContain('начала матча');
    expect(await read('HeaderWithMacros.doc')).toContain('FOOTER GOES HERE.');
  });

  test('end all in a state, nearly all with their text', async () => {
    const ends: Record<string, number> = {};
    for (const path of filesBelow(join(dataFolder, 'documents/office')).filter((one) => one.endsWith('.doc'))) {
      const result = await readMember(bytesOf(path), path.split('/').at(-1)!);
      const end = result.type === 'read' ? 'read' : result.reason;
      ends[end] = (ends[end] ?? 0) + 1;
    }
    expect(ends.read).toBeGreaterThanOrEqual(20);
    expect(Object.keys(ends).filter((end) => !['read', 'no-text', 'unsupported'].includes(end))).toEqual([]);
  });
});

describe.skipIf(!hasData)('headings', () => {
  const read = async (name: string) => {
    const result = await readMember(bytesOf(join(dataFolder, 'documents/office/poi_word', name)), name);
    return result.type === 'read' ? result.sections : [];
  };

  test('stand over the paragraphs below them', async () => {
    const sections = await read('Bug52311.doc');
    const headings = [...new Set(sections.map(({ heading }) => heading))];
    expect(headings.slice(0, 4)).toEqual(['Introduction', 'Context', 'Ref', 'Header 2.1']);
    expect(sections[0]).toMatchObject({ text: 'Introduction', heading: 'Introduction' });
    expect(sections.every(({ text }) => !text.includes('\ufdd0'))).toBe(true);
  });

  test('that cannot be told take no word away', async () => {
    const path = join(dataFolder, 'documents/office/poi_word/Bug52311.doc');
    const whole = textOf(await readMember(bytesOf(path), 'a.doc'));
    const broken = bytesOf(path);
    // Where the file says its styles and its paragraphs' facts lie.
    const at = Buffer.from(broken.buffer).indexOf(Buffer.from([0xec, 0xa5]));
    broken.fill(0xff, at + 0xa2, at + 0xaa);
    broken.fill(0xff, at + 0x102, at + 0x10a);
    const result = await readMember(broken, 'a.doc');
    expect(textOf(result)).toBe(whole);
    expect(result.type === 'read' && result.sections.every(({ heading }) => heading === null)).toBe(true);
  });
});
