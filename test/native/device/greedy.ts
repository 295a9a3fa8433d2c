/**
 * Greedy answers are the same alone and in flight, with the prompt whole and in pieces, with its beginning cached and not, with
 * drafts and without. Where a device sums in another order for another number of rows, the likeliest two ids may change places
 * when they are as good as equal: each such place is counted, with how far apart the two were.
 */
import { type Engine, type GenerateRequest, greedy } from '../../../native/index.ts';
import { generateAll, randomIds } from '../native.ts';
import { type Check, type Checked, judge, type Place, withEngine } from './checks.ts';
import { buildLlama, smallLlama } from './models.ts';

/** Logits of a random model are spread by 1; a rounding to f16 moves them by some thousandths. */
export const mostApart = 0.03;

export type Answers = number[][];

export async function answersOf(
  engine: Engine,
  prompts: readonly number[][],
  numTokens: number,
  { inFlight = 1, speculation = 'off' as GenerateRequest['speculation'] } = {},
): Promise<Answers> {
  const answers: Answers = [];
  for (let at = 0; at < prompts.length; at += inFlight) {
    const some = prompts.slice(at, at + inFlight).map((prompt) => ({
      ids: Int32Array.from(prompt),
      maxTokens: numTokens,
      stopIds: [],
      sampling: greedy,
      priority: 0,
      speculation,
    }));
    answers.push(...(await Promise.all(some.map((request) => generateAll(engine, request)))).map(({ ids }) => ids));
  }
  return answers;
}

/** Where two answers part first, and the distance of the two ids there in the logits of what stood before. */
export async function partings(
  engine: Engine,
  prompts: readonly number[][],
  one: Answers,
  other: Answers,
): Promise<number[]> {
  const apart: number[] = [];
  for (const [row, prompt] of prompts.entries()) {
    const place = one[row]!.findIndex((id, at) => id !== other[row]![at]);
    if (place < 0) continue;
    const ids = Int32Array.from([...prompt, ...one[row]!.slice(0, place)]);
    const { vocabularySize } = engine.info;
    const logits = (await engine.logits(ids)).subarray((ids.length - 1) * vocabularySize);
    apart.push(Math.abs(logits[one[row]![place]!]! - logits[other[row]![place]!]!));
  }
  return apart;
}

async function* compare(place: Place, what: string, counts: boolean): AsyncIterable<Checked> {
  const [numPrompts, numTokens] = place.isSmall ? [6, 12] : [24, 64];
  const { vocabulary } = smallLlama;
  const plan = await buildLlama(place.folder, smallLlama, { counts });
  const prompts = Array.from({ length: numPrompts }, (_, at) =>
    // Half of it twice, so that there is something to draft; lengths on both sides of pages and of steps.
    [...randomIds(20 + 13 * at, vocabulary, at), ...randomIds(20 + 13 * at, vocabulary, at)],
  );
  const kvTokens = place.isSmall ? 4096 : 40_960;
  const run = (options: { stepTokens?: number }, how: Parameters<typeof answersOf>[3]) =>
    withEngine(place, { plan, kvTokens, ...options }, (engine) => answersOf(engine, prompts, numTokens, how));

  const alone = await run({ stepTokens: 2048 }, {});
  const cases: Record<string, () => Promise<Answers>> = {
    '8 in flight': () => run({ stepTokens: 2048 }, { inFlight: 8 }),
    'all in flight': () => run({ stepTokens: 2048 }, { inFlight: numPrompts }),
    'the prompt in pieces of 64': () => run({ stepTokens: 64 }, {}),
    'the prompt in pieces of 8': () => run({ stepTokens: 8 }, {}),
    'asked again, from the cache': () =>
      withEngine(place, { plan, kvTokens, stepTokens: 2048 }, async (engine) => {
        await answersOf(engine, prompts, numTokens);
        return answersOf(engine, prompts, numTokens);
      }),
    'with drafts': () => run({ stepTokens: 2048 }, { speculation: 'always' }),
    'with drafts, 8 in flight': () => run({ stepTokens: 2048 }, { speculation: 'always', inFlight: 8 }),
  };
  for (const [name, answer] of Object.entries(cases)) {
    const other = await answer();
    const apart = await withEngine(place, { plan, kvTokens }, (engine) => partings(engine, prompts, alone, other));
    const most = Math.max(0, ...apart);
    const reached = `${apart.length} of ${numPrompts} answers part${apart.length > 0 ? `, logits at most ${most.toExponential(1)} apart there` : ''}`;
    yield judge(`${what}: ${name}`, reached, counts || place.device === 'cpu' ? apart.length === 0 : most < mostApart);
  }
}

export const greedyAnswers: Check = {
  name: 'greedy answers',
  async *run(place) {
    yield* compare(place, 'random weights', false);
    yield* compare(place, 'a model that counts', true);
  },
};
