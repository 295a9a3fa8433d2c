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

/** Title, then each series with its categories and values, as the chart keeps them. */
export function wordsOfChart(root: XmlElement | undefined): string[] {
  if (!root) return [];
  const lines: string[] = [];
  for (const title of descendantsOf(root, 'title'))
    for (const rich of descendantsOf(title, 'rich')) lines.push(...paragraphsOf(rich));
  for (const series of descendantsOf(root, 'ser')) {
    const valuesOf = (name: string) =>
      [...descendantsOf(elementAt(series, name), 'v')].map((value) => textBelow(value));
    const [seriesName = ''] = valuesOf('tx');
    const categories = valuesOf('cat');
    const values = valuesOf('val').map((value, index) =>
      [categories[index], roundedNumber(value)].filter(Boolean).join(': '),
    );
    lines.push([seriesName, values.join(', ')].filter(Boolean).join(': '));
  }
  return lines.filter((line) => line.trim() !== '');
}

/** What a binary number gained in its last digits is no one's figure. */
function roundedNumber(text: string): string {
  const number = Number(text);
  return text.trim() !== '' && Number.isFinite(number) ? String(Number(number.toPrecision(15))) : text;
}
