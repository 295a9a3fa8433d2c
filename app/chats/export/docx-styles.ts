/** How an exported chat looks in Word: its styles, colours and lists. */
import { AlignmentType, LevelFormat } from 'docx';

const [ink, soft] = ['1D2320', '5A645F'];
export const [accent, mark, line] = ['0E5A54', 'E2C45C', 'DFE4E1'];
/** In twentieths of a point. */
export const indentOfLevel = 400;
export const levels = [0, 1, 2, 3, 4, 5];
export const codeFont = 'Consolas';

export const bullets = {
  reference: 'bullets',
  levels: levels.map((level) => ({
    level,
    format: LevelFormat.BULLET,
    text: ['•', '◦', '▪'][level % 3] ?? '•',
    alignment: AlignmentType.START,
    style: { paragraph: { indent: { left: indentOfLevel * (level + 1), hanging: indentOfLevel - 40 } } },
  })),
};

/** "fr" as Word wants it: "fr-FR". */
function wordLanguage(language: string): { value: string; eastAsia?: string } {
  const { language: name, region } = new Intl.Locale(language).maximize();
  const value = region ? `${name}-${region}` : name;
  return name === 'ja' || name === 'zh' || name === 'ko' ? { value, eastAsia: value } : { value };
}

/** The styles of the document, and the language that it is written in. */
export function stylesIn(language: string) {
  const small = { size: 19, color: soft };
  return {
    default: {
      document: {
        run: { font: 'Calibri', size: 22, color: ink, language: wordLanguage(language) },
        paragraph: { spacing: { after: 140, line: 288 } },
      },
      title: { run: { size: 44, font: 'Georgia', color: ink }, paragraph: { spacing: { after: 60 } } },
      heading1: {
        run: { size: 30, font: 'Georgia', color: ink },
        paragraph: { spacing: { before: 480, after: 160 }, keepNext: true },
      },
      heading2: {
        run: { size: 24, bold: true, color: ink },
        paragraph: { spacing: { before: 280, after: 100 }, keepNext: true },
      },
      heading3: {
        run: { size: 22, bold: true, color: ink },
        paragraph: { spacing: { before: 200, after: 80 }, keepNext: true },
      },
      hyperlink: { run: { color: accent, underline: {} } },
    },
    paragraphStyles: [
      { id: 'Date', name: 'Date', basedOn: 'Normal', next: 'Normal', quickFormat: true, run: small },
      {
        id: 'Quote',
        name: 'Quote',
        basedOn: 'Normal',
        next: 'Normal',
        quickFormat: true,
        run: { font: 'Georgia' },
        paragraph: { indent: { left: 240 }, spacing: { before: 160, after: 40 } },
      },
      {
        id: 'IntenseQuote',
        name: 'Intense Quote',
        basedOn: 'Normal',
        next: 'Normal',
        quickFormat: true,
        run: { font: 'Georgia' },
        paragraph: { indent: { left: 480 } },
      },
      {
        id: 'QuotePlace',
        name: 'Quote Place',
        basedOn: 'Normal',
        next: 'Normal',
        quickFormat: true,
        run: small,
        paragraph: { indent: { left: 240 }, spacing: { after: 120 } },
      },
      {
        id: 'Code',
        name: 'Code',
        basedOn: 'Normal',
        quickFormat: true,
        run: { font: codeFont, size: 19, noProof: true },
        paragraph: { indent: { left: 200 }, spacing: { line: 240 } },
      },
    ],
  };
}

/** The numbers of one list. */
export function numbersFrom({ reference, start }: { reference: string; start: number }) {
  return {
    reference,
    levels: levels.map((level) => ({
      level,
      format: LevelFormat.DECIMAL,
      start: Math.min(start, 32_767), // Word counts no further.
      text: `%${level + 1}.`,
      alignment: AlignmentType.START,
      style: { paragraph: { indent: { left: indentOfLevel * (level + 1), hanging: indentOfLevel - 40 } } },
    })),
  };
}
