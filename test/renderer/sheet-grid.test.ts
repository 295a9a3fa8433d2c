import { describe, expect, it } from 'vitest';
import { sheetGrid } from '../../renderer/reader/sheet-grid.ts';

const words = (text: string, label: string | null) => {
  const grid = sheetGrid(text, label);
  return (
    grid && {
      columns: grid.columns?.join('') ?? null,
      header: grid.header?.map((cell) => cell.text) ?? null,
      rows: grid.rows.map(({ number, cells }) => [number, ...cells.map((cell) => cell.text)]),
    }
  );
};

describe('the grid of a spreadsheet’s passage', () => {
  it('has the names of the columns, and each row under its number', () => {
    expect(words('Name | Year | Rent\nOslo | 2023 | 1,200\n | 2024 | 900', 'Sheet Rents B4:D5')).toEqual({
      columns: 'BCD',
      header: ['Name', 'Year', 'Rent'],
      rows: [
        [4, 'Oslo', '2023', '1,200'],
        [5, '', '2024', '900'],
      ],
    });
  });

  it('names no column that is not certain', () => {
    expect(words('Name | Rent\nOslo | 1,200', 'Cells A2:C2')?.columns).toBe(null);
    expect(words('Oslo | 1,200\nParis', 'Cells A2:B3')).toEqual({
      columns: null,
      header: null,
      rows: [
        [2, 'Oslo', '1,200'],
        [3, 'Paris'],
      ],
    });
  });

  it('numbers no row where lines were left out', () => {
    expect(words('Name | Rent\nOslo | 1,200', 'Cells A2:B9')?.rows).toEqual([
      [null, 'Name', 'Rent'],
      [null, 'Oslo', '1,200'],
    ]);
  });

  it('is none where the lines are not the rows, or there are no cells', () => {
    expect(sheetGrid('a | b\nc | d\ne | f', 'Sheet X A1:B1')).toBe(null);
    expect(sheetGrid('A title', 'Sheet X A1:A1')).toBe(null);
    expect(sheetGrid('a | b', 'Sheet X')).toBe(null);
    expect(sheetGrid('a | b', null)).toBe(null);
  });

  it('knows where each cell stands in the passage', () => {
    const text = 'Name | Rent\nOslo | 1,200';
    const cell = sheetGrid(text, 'Cells A2:B2')?.rows[0]?.cells[1];
    expect(text.slice(cell?.start, cell?.endExclusive)).toBe('1,200');
  });
});
