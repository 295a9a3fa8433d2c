import { describe, expect, it } from 'vitest';
import type { ChatModel } from '../../../app/chats/chat-model.ts';
import { newSpeech, speak } from '../../../app/chats/speak.ts';
import type { Engine, GenerateEvent, Sampling } from '../../../native/index.ts';

/** A model that says one letter a token, on a clock that the test reads. */
function modelOf(words: string, tell: (event: GenerateEvent) => void): ChatModel {
  async function* generate(): AsyncGenerator<GenerateEvent> {
    const events: GenerateEvent[] = [
      { type: 'started', numPromptTokens: 3, numCachedTokens: 0 },
      ...Array.from(words, (letter) => ({ type: 'tokens' as const, ids: Int32Array.of(letter.codePointAt(0) ?? 0) })),
      { type: 'finished', reason: 'stop', numOutputTokens: words.length, ttftMs: 0, decodeMs: 0 },
    ];
    for (const event of events) {
      tell(event);
      yield event;
    }
  }
  return {
    id: 'letters',
    name: 'Letters',
    engine: { generate } as Partial<Engine> as Engine,
    contextTokens: 100,
    stopIds: [],
    stopStrings: [],
    countTokens: (text) => text.length,
    encodePrompt: () => Int32Array.of(1, 2, 3),
    encodeChat: () => Int32Array.of(1, 2, 3),
    streamDecoder: () => ({ push: (ids) => String.fromCodePoint(...Array.from(ids)), end: () => '' }),
  };
}

describe('what is said', () => {
  it('is measured from the prompt to the first token, and from there on', async () => {
    let nowMs = 1000;
    const model = modelOf('The tower is 330 metres tall, and so on.', ({ type }) => {
      nowMs += type === 'tokens' ? 20 : 400;
    });
    const prompt = { ids: Int32Array.of(1, 2, 3), shown: [], passages: [], maxTokens: 100 };
    const sampling: Sampling = { temperature: 0, topK: 1, topP: 1, minP: 0, repetitionPenalty: 1, seed: 1 };
    const speech = newSpeech();
    let said = '';
    const { signal } = new AbortController();
    for await (const text of speak(
      model,
      prompt,
      sampling,
      speech,
      () => null,
      () => nowMs,
      signal,
    ))
      said += text;
    expect(said).toBe('The tower is 330 metres tall, and so on.');
    expect(speech).toMatchObject({ prefillMs: 420, numPromptTokens: 3, end: 'complete' });
    expect(speech.decodeTokensPerSecond).toBeCloseTo(50, 0);
  });
});
