/** What each benchmark of an engine does, and what the machine could do at best. */
import { performance } from 'node:perf_hooks';
import type { PlanHeader } from '../../../engines/plan/format.ts';
import type { Engine } from '../../../native/index.ts';
import { generate, median, someIds } from './generations.ts';
import { kvBytesPerToken, type MachineLimits, tokenWork } from './limits.ts';

export type Measured = { shape: object; median: number; unit: string; limit: number | null; limitFrom: string };
export type Sizes = { numPrompt: number; numTokens: number; numSequences: number };
export type EngineBench = (
  engine: Engine,
  header: PlanHeader,
  limits: MachineLimits,
  sizes: Sizes,
) => Promise<Measured>;

const numRepeats = 3;
/** Of a generation after its question: what a person types. */
const questionTokens = 32;

/** The median of some rounds after one that nobody counts: the first of a kind also prepares. */
async function repeat(measure: (round: number) => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let round = 0; round <= numRepeats; round += 1) {
    const value = await measure(round);
    if (round > 0) values.push(value);
  }
  return median(values);
}

const over = (rate: number | null, work: number): number | null => (rate === null ? null : rate / work);

/** The lesser of two limits of a rate, and where it comes from. */
function lesser(memory: number | null, arithmetic: number | null, { readFrom, macsFrom }: MachineLimits) {
  if (memory === null || arithmetic === null) return { limit: null, limitFrom: `${readFrom}; ${macsFrom}` };
  return memory < arithmetic ? { limit: memory, limitFrom: readFrom } : { limit: arithmetic, limitFrom: macsFrom };
}

/** One sequence that generates after a context. */
export const decode: EngineBench = async (engine, header, limits, { numPrompt, numTokens }) => {
  const rate = await repeat(async (round) => {
    const { numOutputTokens, decodeMs } = await generate(
      engine,
      someIds(numPrompt, header.vocabularySize, round),
      numTokens,
    );
    return (1000 * (numOutputTokens - 1)) / decodeMs;
  });
  const bytesPerToken =
    tokenWork(header).weightBytes + kvBytesPerToken(header, engine.info.kvType) * (numPrompt + numTokens / 2);
  return {
    shape: { prompt: numPrompt, tokens: numTokens, bytesPerToken },
    median: rate,
    unit: 'tokens/s',
    limit: over(await limits.readBytesPerSecond(), bytesPerToken),
    limitFrom: `${limits.readFrom}, over the weights and the KV of a token`,
  };
};

/** A prompt that nobody has asked before. */
export const prefill: EngineBench = async (engine, header, limits, { numPrompt }) => {
  const rate = await repeat(async (round) => {
    const { ttftMs } = await generate(engine, someIds(numPrompt, header.vocabularySize, round), 1);
    return (1000 * numPrompt) / ttftMs;
  });
  const macs = tokenWork(header).macs + attentionMacs(header, numPrompt / 2);
  return {
    shape: { prompt: numPrompt, ttftMs: (1000 * numPrompt) / rate },
    median: rate,
    unit: 'tokens/s',
    limit: over(limits.macsPerSecond, macs),
    limitFrom: `${limits.macsFrom}, over the multiplications of a token`,
  };
};

/** Sequences in flight, all of them asked at once. */
export const serve: EngineBench = async (engine, header, limits, { numPrompt, numTokens, numSequences }) => {
  const decodePhase: number[] = [];
  const rate = await repeat(async (round) => {
    const before = await engine.stats();
    const startMs = performance.now();
    const finished = await Promise.all(
      Array.from({ length: numSequences }, (_, index) =>
        generate(engine, someIds(numPrompt, header.vocabularySize, round * numSequences + index), numTokens),
      ),
    );
    const ms = performance.now() - startMs;
    const after = await engine.stats();
    if (round > 0 && after.decodeMs > before.decodeMs)
      decodePhase.push((1000 * (after.decodeTokens - before.decodeTokens)) / (after.decodeMs - before.decodeMs));
    return (1000 * finished.reduce((sum, { numOutputTokens }) => sum + numOutputTokens, 0)) / ms;
  });
  const { weightBytes, macs } = tokenWork(header);
  const bytes = weightBytes / numSequences + kvBytesPerToken(header, engine.info.kvType) * (numPrompt + numTokens / 2);
  return {
    shape: {
      sequences: numSequences,
      prompt: numPrompt,
      tokens: numTokens,
      tokensPerSecondOfDecodeSteps: decodePhase.length > 0 ? median(decodePhase) : null,
    },
    median: rate,
    unit: 'tokens/s',
    ...lesser(
      over(await limits.readBytesPerSecond(), bytes),
      over(limits.macsPerSecond, macs * (1 + numPrompt / numTokens)),
      limits,
    ),
  };
};

/** Two questions on one context: the second finds the context's kv pages. */
export const followup: EngineBench = async (engine, header, limits, { numPrompt }) => {
  const firsts: number[] = [];
  let numCached = 0;
  const second = await repeat(async (round) => {
    const context = someIds(numPrompt, header.vocabularySize, round);
    const asked = (question: number): Int32Array =>
      Int32Array.of(...context, ...someIds(questionTokens, header.vocabularySize, 1000 + 2 * round + question));
    const first = await generate(engine, asked(0), 2);
    const again = await generate(engine, asked(1), 2);
    if (round > 0) firsts.push(first.ttftMs);
    numCached = again.numCachedTokens;
    return again.ttftMs;
  });
  const bandwidth = await limits.readBytesPerSecond();
  const bytes = tokenWork(header).weightBytes + kvBytesPerToken(header, engine.info.kvType) * numPrompt;
  return {
    shape: {
      context: numPrompt,
      question: questionTokens,
      cached: numCached,
      firstMs: median(firsts),
      timesFaster: median(firsts) / second,
    },
    median: second,
    unit: 'ms',
    limit: bandwidth === null ? null : (1000 * bytes) / bandwidth,
    limitFrom: `${limits.readFrom}: the weights and the context’s KV, once`,
  };
};

export const embed: EngineBench = async (engine, header, limits, { numPrompt, numSequences }) => {
  const numIds = Math.min(numPrompt, header.contextTokens);
  const rate = await repeat(async (round) => {
    const texts = Array.from({ length: numSequences }, (_, index) =>
      someIds(numIds, header.vocabularySize, round * numSequences + index),
    );
    const startMs = performance.now();
    await engine.embed(texts);
    return (1000 * numSequences) / (performance.now() - startMs);
  });
  return {
    shape: { texts: numSequences, tokens: numIds },
    median: rate,
    unit: 'texts/s',
    limit: over(limits.macsPerSecond, (tokenWork(header).macs + attentionMacs(header, numIds)) * numIds),
    limitFrom: `${limits.macsFrom}, over the multiplications of a text`,
  };
};

/** Multiplications of one row's attention over so many keys, in all layers: scores and sums. */
function attentionMacs(header: PlanHeader, numKeys: number): number {
  return header.program.steps
    .filter(({ op }) => op === 'attention' || op === 'attention_full')
    .reduce((sum, step) => {
      const { numHeads, headSize } = step as unknown as { numHeads: number; headSize: number };
      return sum + 2 * numHeads * headSize * numKeys;
    }, 0);
}
