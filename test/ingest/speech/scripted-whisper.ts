/** A speech model that says what a script tells it to: for what is done around a model. */
import type { Heard, SpeechModel } from '../../../ingest/speech/whisper/model.ts';
import type { Vocabulary } from '../../../ingest/speech/whisper/vocabulary.ts';

/** Letters are 0 to 25, a blank 26; then the commands, two languages, and 1,501 seconds. */
const alphabet = 'abcdefghijklmnopqrstuvwxyz ';
const firstTimestamp = 40;

export const vocabulary: Vocabulary = {
  numTokens: firstTimestamp + 1501,
  endOfText: 30,
  startOfTranscript: 31,
  transcribe: 34,
  noSpeech: 35,
  noTimestamps: 36,
  firstTimestamp,
  languages: new Map([
    ['en', 32],
    ['fr', 33],
  ]),
  suppressed: [25],
  suppressedAtStart: [26, 30],
  textOf: (tokens) => tokens.map((token) => alphabet[token] ?? '').join(''),
};

/** "<0.00>abc<2.40>": what the model would say, as tokens. */
export function tokensOf(script: string): number[] {
  return [...script.matchAll(/<([\d.]+)>|(.)/g)].map(([, seconds, letter]) =>
    seconds === undefined ? alphabet.indexOf(letter!) : firstTimestamp + Math.round(Number(seconds) / 0.02),
  );
}

export type Saying = {
  says: string;
  /** How sure it is of each token; 0.99 where nothing is said. */
  sureness?: number;
  noSpeech?: number;
  language?: 'en' | 'fr';
  languageSureness?: number;
};

/** `sayings`: by the number of times it was asked to hear. `asked` counts what it was asked. */
export function createScriptedModel(say: (stretch: number, attempt: number) => Saying) {
  const asked = { stretches: 0, begins: [] as number[][], steps: 0 };
  const model: SpeechModel = {
    vocabulary,
    numBands: 80,
    async hear(): Promise<Heard> {
      const stretch = asked.stretches++;
      let attempt = -1;
      let script: number[] = [];
      let said = 0;
      let saying: Saying = { says: '' };
      const scores = (): Float32Array => {
        const next = script[said++] ?? vocabulary.endOfText;
        return likely(next, saying.sureness ?? 0.99);
      };
      return {
        async begin(tokens) {
          asked.begins.push([...tokens]);
          const isPrompt = tokens.length === 3;
          if (isPrompt) attempt += 1;
          saying = say(stretch, Math.max(0, attempt));
          if (!isPrompt) {
            const language = vocabulary.languages.get(saying.language ?? 'en')!;
            return likely(language, saying.languageSureness ?? 0.95, [32, 33]);
          }
          script = tokensOf(saying.says);
          said = 0;
          const all = new Float32Array(3 * vocabulary.numTokens);
          all.set(likely(vocabulary.noSpeech!, saying.noSpeech ?? 0.01));
          all.set(scores(), 2 * vocabulary.numTokens);
          return all;
        },
        async next() {
          asked.steps += 1;
          return scores();
        },
      };
    },
  };
  return { model, asked };
}

/** Scores in which one token has the given probability, and those beside it share the rest. */
function likely(token: number, probability: number, among?: readonly number[]): Float32Array {
  const scores = new Float32Array(vocabulary.numTokens).fill(among ? -100 : 0);
  const others = (among?.length ?? vocabulary.numTokens) - 1;
  for (const one of among ?? []) scores[one] = 0;
  scores[token] = Math.log((probability / (1 - probability)) * others);
  return scores;
}

/** So many seconds of a tone; of silence between. `parts`: seconds, negative for silence. */
export async function* sound(parts: readonly number[], pieceSamples = 4000): AsyncIterable<Float32Array> {
  for (const seconds of parts)
    for (let left = Math.round(Math.abs(seconds) * 16_000), at = 0; left > 0; left -= pieceSamples) {
      const length = Math.min(left, pieceSamples);
      yield Float32Array.from({ length }, () => (seconds > 0 ? 0.3 * Math.sin(at++ / 5) : 0));
    }
}
