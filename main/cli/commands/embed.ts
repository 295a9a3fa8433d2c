import { QuothError } from '../../../app/contract/errors.ts';
import { type Command, WrongUse } from '../command.ts';
import { readStrings } from '../json-input.ts';
import { engineOptionNames, engineOptions, openPlan, withEngine } from '../plan-model.ts';

/** Texts that go to the engine in one call: enough to keep it busy, few enough to answer as they come. */
const batchTexts = 16;

export const command: Command = {
  usage: 'embed --model PLAN [--as query|passage]',
  summary:
    'Turns JSON strings, one a line on standard input, into vectors of unit length; --as puts before each what the model wants there.',
  options: [...engineOptionNames, 'as'],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ values, output, readLines }) {
    const { plan, header, tokenizer } = await openPlan(values);
    if (header.role !== 'embedder')
      throw new QuothError('unsupported', `"${header.name}" is no embedder, and one is needed here.`);
    const { as } = values;
    if (as !== undefined && as !== 'query' && as !== 'passage') throw new WrongUse('--as must be query or passage.');
    const prompt = as === undefined ? '' : (header.prompts?.[as] ?? '');
    // A longer text is cut; its last id stays the one that ends every text.
    const encode = (text: string): Int32Array => {
      const ids = tokenizer.encode(prompt + text);
      if (ids.length <= header.contextTokens) return ids;
      const cut = ids.slice(0, header.contextTokens);
      cut[cut.length - 1] = ids[ids.length - 1] ?? 0;
      return cut;
    };
    return withEngine(engineOptions(values, plan), async (engine) => {
      const size = engine.info.embeddingSize;
      const flush = async (batch: Int32Array[]): Promise<void> => {
        if (batch.length === 0) return;
        const vectors = await engine.embed(batch);
        for (let row = 0; row < batch.length; row += 1)
          await output.line([...vectors.subarray(row * size, (row + 1) * size)]);
      };
      let batch: Int32Array[] = [];
      for await (const text of readStrings(readLines())) {
        batch.push(encode(text));
        if (batch.length < batchTexts) continue;
        await flush(batch);
        batch = [];
      }
      await flush(batch);
      return 0;
    });
  },
};
