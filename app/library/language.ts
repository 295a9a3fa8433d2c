/**
 * What a text is written in, by its script and by the small words that no longer text lacks. Null where that is not clear:
 * a table of numbers, a list of names, two languages in turns.
 */
const fewLetters = 40;
/** How much of the letters must be of a script. */
const share = 0.6;
/** Small words among a hundred, at least; running text has about forty of its language's. */
const fewSmallWords = 8;

const smallWords: Readonly<Record<string, string>> = {
  en: 'the of and to in is that for it was with as are on be by this have from or an at which not',
  fr: 'le la les de des du et est un une dans que qui pour par sur au aux ce cette il elle sont pas avec plus',
  it: 'il lo la gli le di del della dei e un una che per con sono nel nella non si da al alla è più come',
  de: 'der die das und ist in den von zu mit sich des auf für nicht ein eine als auch es an dem werden aus',
  es: 'el la los las de del y en un una que es por con para se no su al lo como más son este esta',
  pt: 'o a os as de do da dos das e em um uma que é por com para não se na no ao mais como são',
  nl: 'de het een en van in is dat op te voor met zijn niet aan er die ook als door bij naar om',
};
const sets = Object.entries(smallWords).map(([language, words]) => ({ language, words: new Set(words.split(' ')) }));

/** As BCP 47 names it. */
export function languageOf(text: string): string | null {
  const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
  const numLetters = count(/\p{L}/gu);
  if (numLetters < fewLetters) return null;
  const kana = count(/[\p{Script=Hiragana}\p{Script=Katakana}]/gu);
  const han = count(/\p{Script=Han}/gu);
  // A Chinese text quotes a Japanese name now and then; a Japanese one has a particle at every word.
  if (kana + han > share * numLetters) return kana > 0.1 * (kana + han) ? 'ja' : kana < 0.02 * han ? 'zh' : null;
  if (count(/\p{Script=Hangul}/gu) > share * numLetters) return 'ko';
  if (count(/\p{Script=Latin}/gu) < share * numLetters) return null;
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const found = sets
    .map(({ language, words: small }) => {
      const hits = words.filter((word) => small.has(word));
      // Three small words over and over are a form, not a text.
      return { language, numHits: new Set(hits).size < 3 ? 0 : hits.length };
    })
    .sort((a, b) => b.numHits - a.numHits);
  const [first, second] = found;
  if (!first || !second || first.numHits < (fewSmallWords * words.length) / 100) return null;
  return first.numHits > 1.5 * second.numHits ? first.language : null;
}
