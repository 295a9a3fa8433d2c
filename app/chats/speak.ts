/** One generation as text: decoded, ended at stop strings, left at an abort, and measured. */
import type { GenerateEvent, Sampling } from '../../native/index.ts';
import type { ChatModel } from './chat-model.ts';
import type { Prompt } from './prompt.ts';
import { createStopFilter } from './stop-strings.ts';
import type { WanderGuard } from './wander.ts';

/** What was said and how it went; filled while it is being said. */
export type Speech = {
  text: string;
  end: 'complete' | 'stopped' | 'length';
  /** From the prompt's submission to its first token; 0 before there is one. */
  prefillMs: number;
  numPromptTokens: number;
  numCachedTokens: number;
  numOutputTokens: number;
  decodeTokensPerSecond: number;
};

/** Small models go on and interview themselves, or repeat the form of the prompt. */
const inventedTails = ['Question:', 'Earlier question:', 'Answer:', 'Passage:', '\nPassage', '\n\n['];
/** The same habit at the beginning of an answer; only there it is no end. */
const label = /^\s*(?:(?:the )?(?:answer|passages?|answers?)\s*(?:\[\d+\])?\s*:\s*)+/i;
/** The same prompt gives the same words. */
export const greedySampling: Sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 1 };
/** The engine's priorities. */
const personWaits = 10;
export const inBackground = 0;
/** Longer than any label: until so much is there, nothing is shown. */
const labelCharacters = 24;

export function newSpeech(): Speech {
  return {
    text: '',
    end: 'stopped',
    prefillMs: 0,
    numPromptTokens: 0,
    numCachedTokens: 0,
    numOutputTokens: 0,
    decodeTokensPerSecond: 0,
  };
}

/** Yields the text piece by piece and keeps `speech` up to date, also when the loop is left or the engine fails. */
export async function* speak(
  model: ChatModel,
  prompt: Prompt,
  sampling: Sampling,
  speech: Speech,
  wanders: WanderGuard,
  nowMs: () => number,
  signal: AbortSignal,
  priority = personWaits,
): AsyncGenerator<string> {
  speech.numPromptTokens = prompt.ids.length;
  const decoder = model.streamDecoder();
  const filter = createStopFilter([...model.stopStrings, ...inventedTails]);
  let beginning: string | null = '';
  const events = model.engine.generate({
    ids: prompt.ids,
    maxTokens: prompt.maxTokens,
    stopIds: model.stopIds,
    sampling,
    priority,
  });
  const submittedMs = nowMs();
  let firstMs: number | undefined;
  for await (const event of untilAborted(events, signal)) {
    if (event.type === 'started') speech.numCachedTokens = event.numCachedTokens;
    if (event.type === 'tokens') {
      if (firstMs === undefined) {
        firstMs = nowMs();
        speech.prefillMs = firstMs - submittedMs;
      }
      speech.numOutputTokens += event.ids.length;
      const seconds = (nowMs() - firstMs) / 1000;
      if (seconds > 0) speech.decodeTokensPerSecond = (speech.numOutputTokens - 1) / seconds;
      yield* say(decoder.push(event.ids));
      const kept = wanders(speech.text);
      if (kept !== null) speech.text = kept;
      if (filter.stopped || kept !== null) {
        speech.end = 'complete';
        if (kept !== null) return; // what is held back belongs to what was left out
        break;
      }
    }
    if (event.type === 'finished') {
      speech.end = event.reason === 'length' ? 'length' : 'complete';
      speech.numOutputTokens = event.numOutputTokens;
      if (event.decodeMs > 0) speech.decodeTokensPerSecond = (1000 * (event.numOutputTokens - 1)) / event.decodeMs;
      yield* say(decoder.end());
    }
  }
  yield* show(filter.flush(), true);

  /** Hands text to the filter, once the label that may stand before it has been taken off. */
  function* say(text: string): Generator<string> {
    if (beginning === null) return yield* show(filter.push(text), false);
    beginning += text;
    if (beginning.trimStart().length < labelCharacters) return;
    const rest = beginning.replace(label, '').trimStart();
    beginning = null;
    yield* show(filter.push(rest), false);
  }

  function* show(text: string, last: boolean): Generator<string> {
    let shown = text;
    if (last && beginning !== null) {
      shown = filter.push(beginning.replace(label, '').trimStart()) + filter.flush();
      beginning = null;
    }
    speech.text += shown;
    if (shown !== '') yield shown;
  }
}

/** The items of a generation until the signal aborts; the generation is left at once, also while an item is awaited. */
export async function* untilAborted(
  events: AsyncIterable<GenerateEvent>,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent> {
  const iterator = events[Symbol.asyncIterator]();
  let onAbort = (): void => {};
  const aborted = new Promise<null>((resolve) => {
    onAbort = () => resolve(null);
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    for (;;) {
      const next = iterator.next();
      next.catch(() => {}); // after an abort nobody waits for it
      const result = await Promise.race([next, aborted]);
      if (result === null || result.done) return;
      yield result.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    iterator.return?.()?.catch(() => {}); // it may have failed already; the caller knows
  }
}
