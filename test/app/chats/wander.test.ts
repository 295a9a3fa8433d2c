import { describe, expect, it } from 'vitest';
import { createWanderGuard } from '../../../app/chats/wander.ts';
import { passageOf } from './fixtures.ts';

const passage = passageOf(1, 'The Golden Gate Bridge opened in May 1937. It is painted in international orange.');
const question = 'When did the Golden Gate Bridge open?';

/** Feeds the text word by word, as a model says it. */
function say(text: string): string | null {
  const wanders = createWanderGuard(question, [passage]);
  let said = '';
  for (const word of text.split(/(?<= )/)) {
    said += word;
    const kept = wanders(said);
    if (kept !== null) return kept;
  }
  return null;
}

describe('a model that wanders', () => {
  it('is stopped after two sentences without support, and keeps what had it', () => {
    const good = 'The bridge opened in May 1937.';
    expect(say(`${good} Cats sleep all day. Dogs chase the red ball. Birds sing at dawn. `)).toBe(good);
  });

  it('is stopped when it repeats itself', () => {
    const good = 'The bridge opened in May 1937. It is painted in international orange.';
    expect(say(`${good} The bridge opened in May 1937. And so on. `)).toBe(good);
  });

  it('keeps whole sentences only, also where nothing had support', () => {
    const unsupported = 'Cats sleep all day. Dogs chase the red ball.';
    expect(say(`${unsupported} Golden eagles fly. `)).toBe(unsupported);
  });

  it('is let go on as long as the passages back it, with one sentence of its own in between', () => {
    expect(say('It opened in May 1937. Many people love it dearly. It is painted in international orange. Yes. ')).toBe(
      null,
    );
  });
});
