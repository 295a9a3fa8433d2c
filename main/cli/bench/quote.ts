/** What prompt lookup brings when an answer quotes: the same generation with drafts and without, in turn. */
import type { Tokenizer } from '../../../engines/tokenizer/tokenizer.ts';
import { type Engine, type GenerateRequest, greedy } from '../../../native/index.ts';
import { type Measured, median } from './runs.ts';

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

async function run(engine: Engine, ids: Int32Array, maxTokens: number, speculation: GenerateRequest['speculation']) {
  const output: number[] = [];
  const request = { ids, maxTokens, stopIds: [], sampling: greedy, priority: 10, speculation };
  for await (const event of engine.generate(request)) {
    if (event.type === 'tokens') output.push(...event.ids);
    if (event.type === 'finished') return { output, rate: (1000 * (event.numOutputTokens - 1)) / event.decodeMs };
  }
  throw new Error('The generation ended without its last event.');
}

/** The model is led to copy: what any model does that is worth a quote. */
export async function quote(engine: Engine, tokenizer: Tokenizer, numTokens: number): Promise<Measured> {
  const start = passage.slice(0, passage.indexOf('was rebuilt'));
  const ids = tokenizer.encode(`${passage}\n\nOnce more, word for word:\n\n${start.trimEnd()}`);
  const before = await engine.stats();
  const withDrafts: number[] = [];
  const without: number[] = [];
  let isSame = true;
  for (let round = 0; round < numRepeats; round += 1) {
    const plain = await run(engine, ids, numTokens, 'off');
    const drafting = await run(engine, ids, numTokens, 'auto');
    without.push(plain.rate);
    withDrafts.push(drafting.rate);
    isSame &&= plain.output.join() === drafting.output.join();
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
