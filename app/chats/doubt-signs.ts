/**
 * Signs that passages which speak of a question do not answer it, in English: how near their best sentence comes to it, what it
 * lacks of the question, and what it turns round. What they are worth together is learned (`calibrations.ts`).
 */
import { contentWords, splitSentences, type Word } from './sentences.ts';
import type { Sighted } from './signs.ts';

/** A sentence of a passage found, with the cosine of its own vector and the question's. */
export type WeighedSentence = { place: number; index: number; text: string; similarity: number };

/** The first of the passages found are looked at; of more sentences than these the first. */
const numLookedAt = 3;
const mostSentences = 20;

/** The sentences whose vectors are wanted, by the place of their passage and within it. */
export function sentencesToWeigh(found: readonly Pick<Sighted, 'text'>[]): Omit<WeighedSentence, 'similarity'>[] {
  return found
    .slice(0, numLookedAt)
    .flatMap(({ text }, place) => splitSentences(text).map((one, index) => ({ place, index, text: one.text })))
    .slice(0, mostSentences);
}

const negation = /\b(?:not?|never|none|nor|neither|without|cannot)\b|n['’]t\b/iu;
const numberWords =
  /^(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|half|twenty|thirty|forty|fifty|hundred|thousand|million|billion)s?$/iu;

/** Words of which a sentence that has the one does not say the other. */
const opposites = (
  'increase decrease|rise fall|raise lower|many few|before after|first last|earliest latest|early late|' +
  'north south|northern southern|east west|eastern western|win lose|won lost|victory defeat|support oppose|favor oppose|' +
  'allow prohibit|allow forbid|permit forbid|legal illegal|best worst|better worse|good bad|high low|higher lower|' +
  'highest lowest|large small|larger smaller|largest smallest|long short|old young|old new|strong weak|begin end|start end|' +
  'began ended|open close|accept reject|agree disagree|include exclude|internal external|inside outside|public private|' +
  'male female|men women|man woman|father mother|son daughter|brother sister|king queen|maximum minimum|major minor|' +
  'majority minority|rich poor|wealthy poor|cheap expensive|hot cold|upper lower|top bottom|left right|enter leave|' +
  'arrive leave|give take|send receive|buy sell|import export|attack defend|ally enemy|create destroy|build destroy|' +
  'join leave|add remove|success failure|common rare|often rarely|always never|positive negative|advantage disadvantage|' +
  'encourage discourage|gain lose|growth decline|grow shrink|expand shrink|true false|right wrong|possible impossible|' +
  'even odd|finite infinite|simple complex|easy difficult|fast slow|ancient modern|birth death|born died|life death|' +
  'peace war|similar different|known unknown|guilty innocent|temporary permanent|partial complete|' +
  'present absent|deny confirm|prove disprove|reduce increase|urban rural|domestic foreign|active passive'
)
  .split('|')
  .map((pair) => contentWords(pair).map(({ stem }) => stem))
  .flatMap(([one, other]) => (one !== undefined && other !== undefined ? [[one, other] as const] : []));

type Asked = 'name' | 'year' | 'number' | 'other';

/** By the first word that asks: "What did they do when …?" asks for no year. */
function askedFor(question: string): Asked {
  const asking = /\b(?:who(?:m|se)?|what|which|when|where|why|how)\b.*/isu.exec(question)?.[0] ?? '';
  if (/^(?:who|where|(?:what|which) (?:country|city|place|state|region|continent|countries)\b)/iu.test(asking))
    return 'name';
  if (/^(?:when|(?:what|which) (?:year|date|century|decade|day|month)\b)/iu.test(asking)) return 'year';
  return /^(?:how (?:many|much|old|long|far|tall|large|big|often)\b|what (?:percent|number|amount))/iu.test(asking)
    ? 'number'
    : 'other';
}

/** Whether the sentence has a thing of the kind asked for that the question has not. */
function hasCandidate(asked: Asked, words: readonly Word[], terms: ReadonlySet<string>): boolean {
  return words.some(({ stem, isName, isNumber }) => {
    if (terms.has(stem)) return false;
    if (asked === 'name') return isName;
    if (asked === 'year') return /^[12]\d{3}$/.test(stem);
    return asked === 'number' ? isNumber || numberWords.test(stem) : true;
  });
}

export const doubtSignNames = [
  'sentence', // the best cosine of the question and one sentence
  'namesNowhere', // of the question's names, what the passage of the best sentence has not
  'numbersMissing', // how many of its numbers the best sentence has not
  'free', // of the best sentence's words, what the question has not: there is something to answer with
  'hasCandidate', // 1 where among them is one of the kind that is asked for, or none can be told
  'notOnlyAsked', // 1 where the question denies and neither the sentence nor its neighbours do
  'opposite', // how many of the question's words have their opposite there instead
  'undone', // how many of them stand there with a "un-" or "non-", or without theirs
] as const;
export type DoubtSigns = { [name in (typeof doubtSignNames)[number]]: number };

/** `weighed`: those of `sentencesToWeigh`, at least one. The best of them: by its cosine and the question's words in it. */
export function doubtSignsOf(
  question: string,
  found: readonly Pick<Sighted, 'text'>[],
  weighed: readonly WeighedSentence[],
): DoubtSigns {
  const asked = contentWords(question);
  const terms = new Set(asked.map(({ stem }) => stem));
  const passages = found.map(({ text }) => new Set(contentWords(text).map(({ stem }) => stem)));
  const rarities = new Map(
    [...terms].map((stem) => {
      const numWith = passages.filter((words) => words.has(stem)).length;
      return [stem, Math.log(1 + (passages.length + 1) / (numWith + 0.5))] as const;
    }),
  );
  const all = sum([...rarities.values()]) || 1;
  const sentences = weighed.map((one) => {
    const words = contentWords(one.text);
    const stems = new Set(words.map(({ stem }) => stem));
    const coverage = sum([...rarities].map(([stem, rarity]) => (stems.has(stem) ? rarity : 0))) / all;
    return { ...one, words, stems, score: one.similarity + coverage / 2 };
  });
  const best = sentences.reduce((most, one) => (one.score > most.score ? one : most));
  const beside = weighed.filter(({ place, index }) => place === best.place && Math.abs(index - best.index) <= 1);
  const lacking = (some: ReadonlySet<string>, words: ReadonlySet<string>): number =>
    [...some].filter((one) => !words.has(one)).length;
  const names = new Set(asked.filter(({ isName }) => isName).map(({ stem }) => stem));
  const numbers = new Set(asked.filter(({ isNumber }) => isNumber).map(({ stem }) => stem));
  const free = [...best.stems].filter((stem) => !terms.has(stem));
  return {
    sentence: Math.max(...weighed.map(({ similarity }) => similarity)),
    namesNowhere: lacking(names, passages[best.place]!) / Math.max(1, names.size),
    numbersMissing: lacking(numbers, best.stems),
    free: free.length / Math.max(1, best.words.length),
    hasCandidate: hasCandidate(askedFor(question), best.words, terms) ? 1 : 0,
    notOnlyAsked: negation.test(question) && !beside.some(({ text }) => negation.test(text)) ? 1 : 0,
    opposite: opposites.filter(
      ([one, other]) => isInstead(one, other, terms, best.stems) || isInstead(other, one, terms, best.stems),
    ).length,
    undone: [...terms].filter((term) => !best.stems.has(term) && isUndone(term, best.stems)).length,
  };
}

function isInstead(asked: string, said: string, terms: ReadonlySet<string>, there: ReadonlySet<string>): boolean {
  return terms.has(asked) && !there.has(asked) && there.has(said);
}

const undoing = ['un', 'in', 'im', 'ir', 'il', 'dis', 'non'];

/** "unlawful" where the sentence has "lawful", or the other way round. */
function isUndone(term: string, there: ReadonlySet<string>): boolean {
  const bare = undoing.flatMap((prefix) => (term.startsWith(prefix) ? term.slice(prefix.length) : []));
  return bare.some((one) => one.length > 3 && there.has(one)) || undoing.some((prefix) => there.has(prefix + term));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
