/** Small pieces that all readers share: building numbered paragraphs and cleaning a line of text. */
import type { Section } from '../source.ts';

/** A heading says where a text stands; a whole sentence as one would crowd the text out of the embedder's window. */
export const mostHeadingCharacters = 120;

/** Builds the sections of a document that has paragraphs instead of pages. */
export function createParagraphs(): {
  add: (text: string) => void;
  startHeading: (heading: string) => void;
  sections: Section[];
} {
  const sections: Section[] = [];
  let heading: string | null = null;
  const add = (text: string) => {
    const cleaned = cleanText(text).trim();
    if (cleaned)
      sections.push({ text: cleaned, locator: { type: 'paragraph', paragraph: sections.length + 1 }, heading });
  };
  return {
    sections,
    add,
    /** A heading stands in the text too: a person may quote it, and it must be findable by its words. */
    startHeading(text) {
      const cleaned = oneLine(text);
      if (!cleaned) return;
      heading = cleaned.slice(0, mostHeadingCharacters);
      add(cleaned);
    },
  };
}

const ligatures: Record<string, string> = {
  '\ufb00': 'ff',
  '\ufb01': 'fi',
  '\ufb02': 'fl',
  '\ufb03': 'ffi',
  '\ufb04': 'ffl',
  '\ufb05': 'st',
  '\ufb06': 'st',
};

/**
 * Folds what no person types or sees: Latin ligatures become letters, no-break spaces become spaces, control characters
 * and lone surrogates go. Everything else stays as written, so that quotes are the document's own words (full NFKC would
 * turn "x²" into "x2" and "①" into "1").
 */
export function cleanText(text: string): string {
  return (
    text
      .replace(/[\ufb00-\ufb06]/g, (ligature) => ligatures[ligature] ?? ligature)
      .replace(/\r\n?|[\u2028\u2029\u0085]/g, '\n')
      .replace(/[\u00a0\u202f\u2007\t\v\f]/g, ' ')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .replace(/[\u0000-\u0008\u000e-\u001f\u007f-\u009f\ufeff\ufffe\uffff]/g, '')
      .toWellFormed()
  );
}

/** All white space to single spaces. */
export function oneLine(text: string): string {
  return cleanText(text).replace(/\s+/g, ' ').trim();
}

/** A file's name without its extension: the title where the document has none of its own. */
export function titleFromName(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(0, dot) : name;
}
