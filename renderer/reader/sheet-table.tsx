import { useTranslation } from 'react-i18next';
import type { GridCell, SheetGrid } from './sheet-grid.ts';

type SheetTableProps = {
  grid: SheetGrid;
  /** Where the quote stands in the passage; null where nothing is to be marked. */
  quoted: { start: number; endExclusive: number } | null;
  /** The cell that the question is about, as "column: value". */
  cell: string | null;
};

/** A table of a spreadsheet as a grid: the quoted row is marked, and the cell that the question is about most of all. */
export function SheetTable({ grid, quoted, cell }: SheetTableProps) {
  const { t } = useTranslation();
  const { columns, header, rows } = grid;
  const hasNumbers = rows.some(({ number }) => number !== null);
  const width = Math.max(header?.length ?? 0, ...rows.map(({ cells }) => cells.length));
  const markOf = (one: GridCell, column: number): 'cell' | 'row' | null => {
    if (!quoted || one.text === '' || one.start >= quoted.endExclusive || quoted.start >= one.endExclusive) return null;
    return cell !== null && cell === `${header?.[column]?.text}: ${one.text}` ? 'cell' : 'row';
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section className="sheet-frame" aria-label={t('reader.cells')} tabIndex={0}>
      <table className="sheet">
        <thead>
          {columns && (
            <tr>
              {hasNumbers && <td />}
              {columns.map((name) => (
                <th key={name} scope="col" className="sheet-name">
                  {name}
                </th>
              ))}
            </tr>
          )}
          {header && (
            <tr>
              {hasNumbers && <td className="sheet-name" />}
              {Array.from({ length: width }, (_, column) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place
                <th key={column} scope="col" className="sheet-head">
                  {header[column]?.text}
                </th>
              ))}
            </tr>
          )}
        </thead>
        <tbody>
          {rows.map(({ number, cells }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place
            <tr key={index}>
              {hasNumbers && (
                <th scope="row" className="sheet-name">
                  {number}
                </th>
              )}
              {Array.from({ length: width }, (_, column) => {
                const one = cells[column];
                const mark = one ? markOf(one, column) : null;
                return (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place
                  <td key={column} data-mark={mark ?? undefined}>
                    {mark ? <mark>{one?.text}</mark> : one?.text}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
