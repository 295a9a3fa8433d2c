/** Words in drawings, which all office files write alike (DrawingML). */
import { childrenOf, descendantsOf, elementAt, textBelow, type XmlElement } from '../xml.ts';

/** The paragraphs of a text body, line breaks kept. */
export function paragraphsOf(body: XmlElement | undefined): string[] {
  return childrenOf(body, 'p').map((paragraph) => {
    let text = '';
    for (const piece of childrenOf(paragraph)) {
      if (piece.name === 'br') text += '\n';
      else if (piece.name === 'r' || piece.name === 'fld') text += textBelow(elementAt(piece, 't'));
    }
    return text;
  });
}

/** A series of more is a measurement, whose single figures nobody reads. */
const mostPoints = 500;

/** Titles and kind, then the chart's figures as a table: a line for each category, a cell for each series. */
export function wordsOfChart(root: XmlElement | undefined): string[] {
  if (!root) return [];
  const lines: string[] = [];
  for (const title of descendantsOf(root, 'title'))
    for (const rich of descendantsOf(title, 'rich')) lines.push(...paragraphsOf(rich));
  for (const plot of descendantsOf(root, 'plotArea'))
    for (const { name } of childrenOf(plot)) {
      const kind = /^(\w+?)(?:3D)?Chart$/.exec(name)?.[1];
      if (kind) lines.push(`${kind[0]!.toUpperCase()}${kind.slice(1)} chart`);
    }
  const series = [...descendantsOf(root, 'ser')].map((one) => {
    const valuesOf = (...names: string[]) =>
      names.flatMap((name) => [...descendantsOf(elementAt(one, name), 'v')].map((value) => textBelow(value)));
    return {
      name: valuesOf('tx').join(' '),
      categories: valuesOf('cat', 'xVal').map(roundedNumber),
      values: valuesOf('val', 'yVal', 'bubbleSize').slice(0, mostPoints).map(roundedNumber),
    };
  });
  // Series that share their categories stand side by side, as in the sheet that they came from.
  const groups = Map.groupBy(series, ({ categories }) => categories.join('\n'));
  for (const group of groups.values()) {
    const { categories } = group[0]!;
    if (group.some(({ name }) => name !== '')) lines.push(['', ...group.map(({ name }) => name)].join(' | '));
    const numRows = Math.max(...group.map(({ values }) => values.length));
    for (let row = 0; row < numRows; row++)
      lines.push([categories[row] ?? '', ...group.map(({ values }) => values[row] ?? '')].join(' | '));
  }
  return lines.map((line) => line.replace(/^ \| /, '')).filter((line) => line.trim() !== '');
}

/** What a binary number gained in its last digits is no one's figure. */
function roundedNumber(text: string): string {
  const number = Number(text);
  return text.trim() !== '' && Number.isFinite(number) ? String(Number(number.toPrecision(15))) : text;
}
