import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { estimateTokens } from '../../ingest/embedder.ts';
import { readPdf } from '../../ingest/readers/pdf.ts';
import { isValue } from '../../ingest/readers/pdf-table/cells.ts';
import type { ReadResult, Section } from '../../ingest/source.ts';
import { splitSections } from '../../ingest/split.ts';
import { bytesOf, dataFolder, hasData, type PlacedText, placedPdfOf } from './data.ts';

/** Courier's letters are 6 points wide: a text that ends at `right`. */
const endingAt = (text: string, right: number, y: number): PlacedText => ({ text, x: right - 6 * text.length, y });
const centredAt = (text: string, middle: number, y: number): PlacedText => ({ text, x: middle - 3 * text.length, y });
const row = (label: string, y: number, values: [string, number][], indent = 0): PlacedText[] => [
  { text: label, x: 40 + indent, y },
  ...values.map(([text, right]) => endingAt(text, right, y)),
];

const statement: PlacedText[] = [
  { text: 'The duck pond grew. Its figures are as follows (in millions):', x: 40, y: 720 },
  centredAt('Three Months Ended', 365, 696),
  centredAt('June 30,', 365, 684),
  centredAt('2022', 320, 672),
  centredAt('2023', 410, 672),
  ...row('Operating expenses:', 656, []),
  ...row(
    'Feed',
    640,
    [
      ['$', 290],
      ['1,250', 340],
      ['$', 380],
      ['1,310', 430],
    ],
    12,
  ),
  ...row('Repairs of the fence, the', 624, [], 12),
  ...row(
    'gate and the net',
    612,
    [
      ['(45)', 343],
      ['-', 430],
    ],
    12,
  ),
  ...row(
    'Total operating expenses',
    596,
    [
      ['1,205', 340],
      ['1,310', 430],
    ],
    24,
  ),
  ...row('Share of ducks', 580, [
    ['8', 330],
    ['%', 340],
    ['11', 420],
    ['%', 430],
  ]),
  { text: 'The pond is as deep as it was, and nobody has counted the geese of it.', x: 40, y: 540 },
];

async function sectionsOf(pages: PlacedText[][]): Promise<Section[]> {
  const result = await readPdf(placedPdfOf(pages), 'pond.pdf');
  if (result.type === 'failed') throw new Error(result.detail);
  return result.sections;
}

describe('a table on a page', () => {
  let sections: Section[];
  let rows: Section[];
  beforeAll(async () => {
    sections = await sectionsOf([statement]);
    rows = sections.filter((section) => section.row);
  });

  test('is read as rows between the text before and after it, each as the page has it', () => {
    expect(sections.map(({ text }) => text)).toEqual([
      'The duck pond grew. Its figures are as follows (in millions):',
      'Operating expenses:',
      'Feed | $ 1,250 | $ 1,310',
      'Repairs of the fence, the gate and the net | (45) | -',
      'Total operating expenses | 1,205 | 1,310',
      'Share of ducks | 8 % | 11 %',
      'The pond is as deep as it was, and nobody has counted the geese of it.',
    ]);
    expect(new Set(rows.map((section) => section.row?.table)).size).toBe(1);
  });

  test('has the words of all lines of its head over each column that they span', () => {
    const columns = rows[1]!.row!.named!.map(({ column }) => column);
    expect(columns).toEqual(['', 'Three Months Ended June 30, 2022', 'Three Months Ended June 30, 2023']);
  });

  test('is called by the last sentence before it, with its unit', () => {
    expect(rows[0]!.row!.title).toBe('Its figures are as follows (in millions):');
    expect(rows[0]!.row!.header).toContain('Three Months Ended');
  });

  test('gives sub-rows the name of their group, and ends the group where a row is no longer indented', () => {
    const labels = rows.slice(1).map((section) => section.row!.named![0]!.text);
    expect(labels).toEqual([
      'Operating expenses: Feed',
      'Operating expenses: Repairs of the fence, the gate and the net',
      'Operating expenses: Total operating expenses',
      'Share of ducks',
    ]);
  });

  test('says where each cell stands, from the upper left of the page', () => {
    const [label, first] = rows[1]!.row!.named!;
    expect(first!.text).toBe('$ 1,250');
    // The sign stands at 284, the number ends at 340; the baseline is 640 of 792 points above the lower edge.
    expect(first!.box[0]).toBeCloseTo(284, 0);
    expect(first!.box[2]).toBeCloseTo(340, 0);
    expect(first!.box[1]).toBeGreaterThan(792 - 640 - 11);
    expect(first!.box[3]).toBeLessThan(792 - 640 + 4);
    expect(label!.box[0]).toBeCloseTo(52, 0);
    const wrapped = rows[2]!.row!.named![0]!;
    expect(wrapped.box[3] - wrapped.box[1]).toBeGreaterThan(20); // both lines
  });

  test('becomes chunks that begin with its title, each row as "label | column: value"', () => {
    const chunks = splitSections(sections, { countTokens: estimateTokens, mostTokens: 90 });
    const ofTable = chunks.filter((chunk) => chunk.cells);
    expect(ofTable.length).toBeGreaterThan(1);
    for (const chunk of ofTable) expect(chunk.text.split('\n')[0]).toBe('Its figures are as follows (in millions):');
    expect(ofTable[0]!.text.split('\n')[1]).toBe(
      'Operating expenses: Feed | Three Months Ended June 30, 2022: $ 1,250 | Three Months Ended June 30, 2023: $ 1,310',
    );
    for (const { text, cells } of ofTable)
      for (const { start, endExclusive, isLabel } of cells ?? [])
        expect(text.slice(start, endExclusive)).toMatch(isLabel ? /^\p{Lu}[^|]*$/u : /^Three Months [^|]*: \S[^|]*$/);
  });

  test('that is wider than a chunk is cut between cells, its label on each part', () => {
    const chunks = splitSections(sections, { countTokens: estimateTokens, mostTokens: 48 });
    const lines = chunks.filter((chunk) => chunk.cells).flatMap((chunk) => chunk.text.split('\n'));
    const ofFeed = lines.filter((line) => line.startsWith('Operating expenses: Feed | '));
    expect(ofFeed).toEqual([
      'Operating expenses: Feed | Three Months Ended June 30, 2022: $ 1,250',
      'Operating expenses: Feed | Three Months Ended June 30, 2023: $ 1,310',
    ]);
  });
});

describe('what is no table', () => {
  test('prose, lists and single numbers stay text', async () => {
    const lines = [
      'In 2023 the pond had 12 ducks and 3 geese, which is more than before.',
      '1. Count the ducks.',
      '2. Count the geese.',
      'Page 7',
    ];
    const sections = await sectionsOf([lines.map((text, index) => ({ text, x: 40, y: 700 - 14 * index }))]);
    expect(sections.filter((section) => section.row)).toEqual([]);
  });

  test('a number is a value with its signs and units, a word or a broken date is none', () => {
    for (const text of ['(2,028)', '$ 1,250', '12.5 %', '—', '11.6 years', '2024 - 2044', '3.80% - 4.95%', 'N/A', '0'])
      expect(isValue(text), text).toBe(true);
    for (const text of ['June 30,', '31,', 'Total', 'Note 4', '2022 and 2023', '$', 'Level 1 securities'])
      expect(isValue(text), text).toBe(false);
  });
});

describe('a table that goes on', () => {
  test('on the next page keeps the names of its columns', async () => {
    const next = [
      ...row('Nets', 740, [
        ['12', 340],
        ['15', 430],
      ]),
      ...row('Boats', 724, [
        ['1', 340],
        ['2', 430],
      ]),
      ...row('Sheds', 708, [
        ['3', 340],
        ['3', 430],
      ]),
    ];
    const sections = await sectionsOf([statement, next]);
    const boats = sections.find((section) => section.text.startsWith('Boats'));
    expect(boats?.row?.named?.[2]).toMatchObject({ column: 'Three Months Ended June 30, 2023', text: '2' });
    expect(boats?.locator).toEqual({ type: 'page', page: 2 });
  });
});

describe.skipIf(!hasData)('tables of a filing', () => {
  let result: ReadResult;
  beforeAll(async () => {
    result = await readPdf(bytesOf(join(dataFolder, 'qa/docugami-sec10q/2023_Q2_AMZN.pdf')), 'a.pdf');
  });
  const namedOf = (page: number, label: string) => {
    const rows = result.type === 'read' ? result.sections : [];
    const found = rows.find(
      ({ locator, row: of }) => locator.type === 'page' && locator.page === page && of?.named?.[0]?.text === label,
    );
    return found?.row?.named?.slice(1).map(({ column, text }) => [column, text]);
  };

  test('have the column that each number stands in', () => {
    expect(namedOf(4, 'Interest income')).toEqual([
      ['Three Months Ended June 30, 2022', '159'],
      ['Three Months Ended June 30, 2023', '661'],
      ['Six Months Ended June 30, 2022', '267'],
      ['Six Months Ended June 30, 2023', '1,272'],
    ]);
    expect(namedOf(6, 'Current assets: Inventories')).toEqual([
      ['December 31, 2022', '34,405'],
      ['June 30, 2023 (unaudited)', '36,587'],
    ]);
  });

  test('have heads of three lines, of groups and of wrapped words', () => {
    const [first, second, third] = namedOf(30, 'Net sales') ?? [];
    expect(first).toEqual(['Three Months Ended June 30, 2022 As Reported', '$ 121,234']);
    expect(second).toEqual(['Three Months Ended June 30, 2022 Exchange Rate Effect (1)', '$ 3,599']);
    expect(third).toEqual(['Three Months Ended June 30, 2022 At Prior Year Rates (2)', '$ 124,833']);
    expect(namedOf(13, 'Leases not yet commenced')?.[1]?.[0]).toBe('Year Ended December 31, 2024');
  });

  test('keep a label of two lines, whose rest looks like a number, in one piece', () => {
    const named =
      result.type === 'read' ? result.sections.flatMap((section) => section.row?.named?.[0]?.text ?? []) : [];
    expect(named.some((text) => /operating lease assets, and other$/.test(text))).toBe(true);
  });
});

describe('other makes of tables', () => {
  test('numbers that stand close to each other, and a sign that touches the one before, stay apart', async () => {
    const close = [
      { text: 'Region', x: 40, y: 720 },
      centredAt('2022', 205, 720),
      centredAt('2023', 260, 720),
      ...row('North', 704, [
        ['$1,250', 225],
        ['$1,310', 262],
      ]),
      ...row('South', 688, [
        ['980', 225],
        ['1,001', 262],
      ]),
      ...row('East', 672, [
        ['12', 225],
        ['9', 262],
      ]),
    ];
    const rows = (await sectionsOf([close])).filter((section) => section.row);
    expect(rows.map(({ text }) => text)).toEqual(['North | $1,250 | $1,310', 'South | 980 | 1,001', 'East | 12 | 9']);
  });

  test('a unit over the labels, between the lines of the head, belongs to the title', async () => {
    const sheet = [
      { text: '(In millions, unaudited)', x: 40, y: 714 },
      centredAt('Three Months Ended', 365, 720),
      centredAt('March 31,', 365, 708),
      centredAt('2022', 320, 694),
      centredAt('2023', 410, 694),
      ...row('Product', 680, [
        ['15,588', 340],
        ['17,366', 430],
      ]),
      ...row('Service and other', 666, [
        ['37,269', 340],
        ['31,994', 430],
      ]),
    ];
    const rows = (await sectionsOf([sheet])).filter((section) => section.row);
    expect(rows[0]!.row!.title).toBe('(In millions, unaudited)');
    expect(rows[0]!.row!.named![2]!.column).toBe('Three Months Ended March 31, 2023');
  });

  test('two tables with other columns are two, though little stands between them', async () => {
    const both = [
      ...row('Ducks', 720, [
        ['12', 340],
        ['15', 430],
      ]),
      ...row('Geese', 706, [
        ['3', 340],
        ['4', 430],
      ]),
      ...row('Swans', 692, [
        ['1', 340],
        ['2', 430],
      ]),
      { text: 'Food', x: 40, y: 664 },
      ...row('Oats', 650, [
        ['1.5', 200],
        ['2.5', 260],
        ['3.5', 300],
      ]),
      ...row('Corn', 636, [
        ['4.5', 200],
        ['5.5', 260],
        ['6.5', 300],
      ]),
    ];
    const rows = (await sectionsOf([both])).filter((section) => section.row?.named?.length);
    expect(new Set(rows.map((section) => section.row!.table)).size).toBe(2);
  });
});
