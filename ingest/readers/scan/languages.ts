/**
 * Which languages a page is read in. Tesseract reads several of one script in one pass and keeps the surest reading of each
 * word: measured, a French page comes out the same with German and English beside French. Across scripts it does not: a Chinese
 * page read with Japanese beside Chinese falls from all letters right to half of them. So a strip of the page is read in
 * each script alone, and the page in the surest.
 */
import type { Deadline, Picture, RecognizedLine, Recognizer } from './recognizer.ts';

export const english = 'eng';

/** Tesseract's names; in the order of what most people have. */
const latin = 'eng fra deu ita spa por nld pol ces swe dan nor fin tur'.split(' ');
/** What letters a language that is not written in Latin ones has. */
const scripts: Readonly<Record<string, RegExp>> = {
  jpn: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u,
  chi_sim: /\p{Script=Han}/u,
  chi_tra: /\p{Script=Han}/u,
  kor: /\p{Script=Hangul}/u,
  ukr: /\p{Script=Cyrillic}/u,
  ell: /\p{Script=Greek}/u,
  ara: /\p{Script=Arabic}/u,
  heb: /\p{Script=Hebrew}/u,
  hin: /\p{Script=Devanagari}/u,
};

/** More in one pass take minutes for a page. */
const mostAtOnce = 4;
/** A page of a script has at least this share of its letters in it: other languages' data know Latin letters too. */
const leastOwnLetters = 0.3;
/** Of the page's height. */
const stripShare = 0.2;
const leastStripPixels = 240;

/** The languages of one script each, the Latin ones with English among them first. */
export function groupsOf(languages: readonly string[]): string[][] {
  const known = [...new Set([english, ...languages])];
  const ofLatin = latin.filter((language) => known.includes(language));
  return [ofLatin, ...known.filter((language) => Object.hasOwn(scripts, language)).map((language) => [language])];
}

/**
 * The languages to read this page in, at most `mostAtOnce`; null when the deadline has passed. With English alone, or few
 * languages of its script, nothing needs to be tried.
 */
export async function languagesFor(
  recognizer: Recognizer,
  picture: Picture,
  remaining: () => Deadline,
): Promise<readonly string[] | null> {
  const [ofLatin = [english], ...others] = groupsOf(recognizer.languages());
  if (others.length === 0 && ofLatin.length <= mostAtOnce) return ofLatin;
  const strip = stripOf(picture);
  const read = async (languages: readonly string[]): Promise<RecognizedLine[] | null> => {
    const { processorMs, clockMs } = remaining();
    return processorMs > 0 && clockMs > 0 ? recognizer.recognize(strip, { processorMs, clockMs }, languages) : null;
  };

  let chosen: readonly string[] = ofLatin;
  if (ofLatin.length > mostAtOnce) {
    const tried: { language: string; sureness: number }[] = [];
    for (const language of ofLatin) {
      const lines = await read([language]);
      if (lines === null) return null;
      tried.push({ language, sureness: confidenceOf(lines) });
    }
    const best = tried.sort((a, b) => b.sureness - a.sureness).slice(0, mostAtOnce);
    chosen = best.map(({ language }) => language);
  }
  if (others.length === 0) return chosen;
  const lines = await read(chosen);
  if (lines === null) return null;
  let best = { languages: chosen, sureness: confidenceOf(lines) };
  for (const [language = ''] of others) {
    const found = await read([language]);
    if (found === null) return null;
    const sureness = ownLetters(found, scripts[language]!) < leastOwnLetters ? 0 : confidenceOf(found);
    if (sureness > best.sureness) best = { languages: [language, english], sureness };
  }
  return best.languages;
}

/** Of all words, by their letters: the specks that are taken for words are short. 0 for a page without any. */
export function confidenceOf(lines: readonly RecognizedLine[]): number {
  let sum = 0;
  let numLetters = 0;
  for (const { text, confidence } of lines.flatMap((line) => line.words)) {
    const letters = text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
    sum += letters * confidence;
    numLetters += letters;
  }
  return numLetters < fewestLetters ? 0 : Math.round(sum / numLetters);
}

export const fewestLetters = 3;

function ownLetters(lines: readonly RecognizedLine[], script: RegExp): number {
  const letters = lines.flatMap(({ words }) => words.flatMap(({ text }) => text.match(/\p{L}/gu) ?? []));
  return letters.length === 0 ? 0 : letters.filter((letter) => script.test(letter)).length / letters.length;
}

/** The rows of the page on which most is written: where paper and ink change most often. */
function stripOf({ width, height, grey }: Picture): Picture {
  const numRows = Math.min(height, Math.max(leastStripPixels, Math.round(height * stripShare)));
  const upTo = new Float64Array(height + 1);
  for (let y = 0; y < height; y++) {
    let changes = 0;
    for (let x = 1; x < width; x++) if (grey[y * width + x]! < 128 !== grey[y * width + x - 1]! < 128) changes += 1;
    upTo[y + 1] = upTo[y]! + changes;
  }
  let top = 0;
  for (let y = 1; y + numRows <= height; y++)
    if (upTo[y + numRows]! - upTo[y]! > upTo[top + numRows]! - upTo[top]!) top = y;
  return { width, height: numRows, grey: grey.slice(top * width, (top + numRows) * width) };
}
