/** What prompt lookup brings when an answer quotes: the same generation with drafts and without, in turn. */
import type { Tokenizer } from '../../../engines/tokenizer/tokenizer.ts';
import type { Engine } from '../../../native/index.ts';
import { generate, median, someIds } from './generations.ts';
import type { Measured } from './runs.ts';

const numRepeats = 3;

/** Two paragraphs as a document has them: names, numbers, long words. */
const passage = `The harbour of Ostrava Bay was rebuilt between 1974 and 1981, after the storm of January 1973 had broken \
the northern breakwater in three places. The new breakwater is 1,240 metres long and rests on 312 caissons of reinforced \
concrete, each of which weighs 2,900 tonnes. Its crest lies 8.4 metres above the mean water level, which is 1.6 metres \
more than before the storm.

The engineers had first proposed a rubble mound, but the quarry at Lindholm could not deliver enough stone of the \
required size. The caissons were therefore cast in a dry dock at Fernwick and towed across the bay by four tugs. The last \
one was sunk on 19 September 1980, eleven months later than planned, because the dredging of the foundation had met a \
layer of glacial clay that no earlier survey had shown.`;

/** Of a counting model: ids quoted in one piece, and ids between two pieces that the answer has and the prompt has not. */
const [quotedRun, ownRun] = [24, 8];
const numFiller = 512;

/**
 * A prompt for a model that counts (`quoth build --random … --counts`): ids that mean nothing, and among them a text of which the
 * answer takes 24 ids of every 32 as they stand; the other 8 it has of its own.
 */
export function countingPrompt(vocabularySize: number, numTokens: number): Int32Array {
  const first = 3;
  const others = someIds(numFiller + numTokens, vocabularySize, 1);
  const text = Array.from({ length: numTokens }, (_, place) =>
    place % (quotedRun + ownRun) < quotedRun ? first + 1 + place : others[numFiller + place]!,
  );
  return Int32Array.of(1, ...others.subarray(0, numFiller), ...text, first);
}

/** A text that any model goes on copying. */
export function textPrompt(tokenizer: Tokenizer): Int32Array {
  const start = passage.slice(0, passage.indexOf('was rebuilt'));
  return tokenizer.encode(`${passage}\n\nOnce more, word for word:\n\n${start.trimEnd()}`);
}

/** The same prompt answered without drafts and with them. */
export async function quote(engine: Engine, ids: Int32Array, numTokens: number): Promise<Measured> {
  const before = await engine.stats();
  const withDrafts: number[] = [];
  const without: number[] = [];
  let isSame = true;
  const rateOf = ({ numOutputTokens, decodeMs }: { numOutputTokens: number; decodeMs: number }): number =>
    (1000 * (numOutputTokens - 1)) / decodeMs;
  for (let round = 0; round < numRepeats; round += 1) {
    const plain = await generate(engine, ids, numTokens, 'off');
    const drafting = await generate(engine, ids, numTokens, 'auto');
    without.push(rateOf(plain));
    withDrafts.push(rateOf(drafting));
    isSame &&= plain.ids.join() === drafting.ids.join();
  }
  const after = await engine.stats();
  return {
    shape: {
      prompt: ids.length,
      tokens: numTokens,
      tokensPerSecondWithout: median(without),
      speedUp: median(withDrafts) / median(without),
      sameIds: isSame,
      drafted: after.draftedTokens - before.draftedTokens,
      accepted: after.acceptedTokens - before.acceptedTokens,
    },
    median: median(withDrafts),
    unit: 'tokens/s',
    limit: null,
    limitFrom: 'none is known: it depends on how much of an answer is copied',
  };
}
