import { type Command, needed } from '../command.ts';
import { readIds } from '../json-input.ts';
import { engineOptionNames, engineOptions, openPlan, withEngine } from '../plan-model.ts';

export const command: Command = {
  usage: 'score --model PLAN --ids FILE',
  summary: 'The natural logarithm of each id’s probability given those before it; the first is null.',
  options: [...engineOptionNames, 'ids'],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ values, output }) {
    const file = needed(values, 'ids');
    const { plan, header } = await openPlan(values);
    const ids = await readIds(file, header.vocabularySize);
    const kvTokens = Math.min(header.contextTokens, ids.length);
    return withEngine({ ...engineOptions(values, plan), kvTokens }, async (engine) => {
      const logprobs = Array.from(await engine.score(ids), (value) => (Number.isNaN(value) ? null : value));
      await output.line({ logprobs });
      return 0;
    });
  },
};
