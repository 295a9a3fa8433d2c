/**
 * One stretch of at most 30 s → what is said in it, with its seconds. The likeliest word is taken each time; where the outcome goes
 * round in a loop or is unlikely, it is tried again with some chance in it (Radford et al. 2022, section 4.5).
 */
import { deflateSync } from 'node:zlib';
import type { Heard, SpeechModel } from './model.ts';
import { applyRules, logProbabilityOf } from './rules.ts';
import { secondsPerTimestamp, type Vocabulary } from './vocabulary.ts';

/** Seconds from the stretch's beginning. */
export type Segment = { startSeconds: number; endSeconds: number; text: string };

export type Stretch = {
  segments: Segment[];
  /** Where the next stretch is to begin. Null: after all of this one. */
  nextSeconds: number | null;
};

/** The thresholds of the paper. */
export const thresholds = { compressionRatio: 2.4, logProbability: -1, noSpeech: 0.6 };
const temperatures = [0, 0.4, 0.8];
const mostTokens = 224;
/** After a loop: shorter steps would hear the same stretch many times over. */
const leastStepSeconds = 10;
/** Tokens of the longest phrase that a loop is looked for with. */
const mostPeriod = 20;

export type Attempt = {
  tokens: number[];
  /** Of a token, on average. */
  logProbability: number;
  /** How many times smaller the text becomes: a loop becomes very small. */
  compressionRatio: number;
  noSpeech: number;
  /** Where the first round of a loop ends in `tokens`; null for what is none. */
  roundEnd: number | null;
};

/** `language` is a token of the vocabulary; null for a model of one language. `random` from 0 to 1. */
export async function decodeStretch(
  model: SpeechModel,
  heard: Heard,
  language: number | null,
  lengthSeconds: number,
  random: () => number,
): Promise<Stretch> {
  const { vocabulary } = model;
  let best: Attempt | null = null;
  for (const temperature of temperatures) {
    const attempt = await decodeOnce(vocabulary, heard, language, temperature, random);
    if (isSilent(attempt)) return { segments: [], nextSeconds: null };
    if (!best || rank(attempt) > rank(best)) best = attempt;
    if (!isLoop(attempt) && attempt.logProbability >= thresholds.logProbability) break;
  }
  if (!best) return { segments: [], nextSeconds: null };
  // Words that nobody said would be quoted as said: of a loop its first round is kept, and what lies behind it is heard anew.
  if (!best.roundEnd) return segmentsOf(best.tokens, vocabulary, lengthSeconds);
  const { segments } = segmentsOf(best.tokens.slice(0, best.roundEnd), vocabulary, lengthSeconds);
  const endSeconds = segments.at(-1)?.endSeconds ?? 0;
  return { segments, nextSeconds: endSeconds >= leastStepSeconds && endSeconds < lengthSeconds ? endSeconds : null };
}

function isSilent({ noSpeech, logProbability }: Attempt): boolean {
  return noSpeech > thresholds.noSpeech && logProbability < thresholds.logProbability;
}

function isLoop({ compressionRatio, roundEnd }: Attempt): boolean {
  return roundEnd !== null || compressionRatio > thresholds.compressionRatio;
}

/** Some do say the same again and again: what only becomes very small is taken before what turns round. */
function rank(attempt: Attempt): number {
  return attempt.logProbability - (attempt.roundEnd !== null ? 200 : isLoop(attempt) ? 100 : 0);
}

async function decodeOnce(
  vocabulary: Vocabulary,
  heard: Heard,
  language: number | null,
  temperature: number,
  random: () => number,
): Promise<Attempt> {
  const { startOfTranscript, transcribe, endOfText, numTokens, noSpeech } = vocabulary;
  const prompt = language === null ? [startOfTranscript] : [startOfTranscript, language, transcribe];
  const first = await heard.begin(prompt);
  const doubt = noSpeech === null ? 0 : Math.exp(logProbabilityOf(first.subarray(0, numTokens), noSpeech));
  let scores: Float32Array = first.slice((prompt.length - 1) * numTokens, prompt.length * numTokens);
  const tokens: number[] = [];
  let roundEnd: number | null = null;
  let sum = 0;
  while (tokens.length < mostTokens) {
    applyRules(scores, tokens, vocabulary);
    const token = temperature === 0 ? likeliest(scores) : drawn(scores, temperature, random);
    sum += logProbabilityOf(scores, token);
    if (token === endOfText) break;
    tokens.push(token);
    roundEnd = roundEndOf(tokens, vocabulary.endOfText);
    if (roundEnd !== null) break;
    scores = await heard.next(token);
  }
  const text = vocabulary.textOf(tokens.filter((token) => token < vocabulary.endOfText));
  return {
    tokens,
    logProbability: sum / (tokens.length + 1),
    compressionRatio: compressionRatioOf(text),
    noSpeech: doubt,
    roundEnd,
  };
}

function likeliest(scores: Float32Array): number {
  let best = 0;
  for (let token = 1; token < scores.length; token++) if (scores[token]! > scores[best]!) best = token;
  return best;
}

function drawn(scores: Float32Array, temperature: number, random: () => number): number {
  const most = scores[likeliest(scores)]!;
  let sum = 0;
  for (const score of scores) sum += Math.exp((score - most) / temperature);
  let left = random() * sum;
  for (let token = 0; token < scores.length; token++) {
    left -= Math.exp((scores[token]! - most) / temperature);
    if (left < 0) return token;
  }
  return likeliest(scores);
}

/**
 * Whether the last words are one phrase over and over, whatever seconds stand between: the rest of the stretch would only be more
 * of it. The answer is where its first round ends, or null. Words are the tokens below `endOfText`.
 */
export function roundEndOf(tokens: readonly number[], endOfText: number): number | null {
  const places: number[] = [];
  for (const [index, token] of tokens.entries()) if (token < endOfText) places.push(index);
  const wordAt = (index: number): number => tokens[places[index]!]!;
  for (let period = 1; period <= mostPeriod; period++) {
    const repeats = Math.max(4, Math.ceil(24 / period));
    let first = places.length - 1;
    while (first >= period && wordAt(first) === wordAt(first - period)) first -= 1;
    // `first` is now the last word of the first round.
    if (places.length - 1 - first < period * (repeats - 1)) continue;
    const end = (places[first] ?? 0) + 1;
    return (tokens[end] ?? 0) > endOfText ? end + 1 : end;
  }
  return null;
}

export function compressionRatioOf(text: string): number {
  const bytes = new TextEncoder().encode(text.trim());
  return bytes.length === 0 ? 1 : bytes.length / deflateSync(bytes).length;
}

/**
 * Cuts at the seconds that were said in pairs: "0.00 words 2.40, 2.40 words 5.00". What follows the last pair was cut off by the
 * stretch's end and is heard again in the next one.
 */
export function segmentsOf(tokens: readonly number[], vocabulary: Vocabulary, lengthSeconds: number): Stretch {
  const { firstTimestamp } = vocabulary;
  const isTime = (token: number | undefined): boolean => token !== undefined && token >= firstTimestamp;
  const secondsOf = (token: number): number =>
    Math.min(lengthSeconds, Math.max(0, (token - firstTimestamp) * secondsPerTimestamp));
  const cuts: number[] = [];
  for (let index = 1; index < tokens.length; index++)
    if (isTime(tokens[index]) && isTime(tokens[index - 1])) cuts.push(index);
  const endsInTime = isTime(tokens.at(-1)) && !isTime(tokens.at(-2));
  const segment = (part: readonly number[], startSeconds: number, endSeconds: number): Segment[] => {
    const text = vocabulary.textOf(part.filter((token) => token < vocabulary.endOfText)).trim();
    return text && endSeconds >= startSeconds ? [{ startSeconds, endSeconds, text }] : [];
  };
  if (cuts.length === 0) {
    const lastTime = tokens.findLast(isTime);
    const start = isTime(tokens[0]) ? secondsOf(tokens[0]!) : 0;
    const end = lastTime !== undefined && secondsOf(lastTime) > start ? secondsOf(lastTime) : lengthSeconds;
    return { segments: segment(tokens, start, end), nextSeconds: null };
  }
  if (endsInTime) cuts.push(tokens.length);
  const segments: Segment[] = [];
  let from = 0;
  for (const cut of cuts) {
    const part = tokens.slice(from, cut);
    segments.push(...segment(part, secondsOf(part[0]!), secondsOf(part.at(-1)!)));
    from = cut;
  }
  return { segments, nextSeconds: endsInTime ? null : secondsOf(tokens[from - 1]!) };
}
