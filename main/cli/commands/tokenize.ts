import type { Command } from '../command.ts';
import { readStrings } from '../json-input.ts';
import { openPlan } from '../plan-model.ts';

export const command: Command = {
  usage: 'tokenize --model PLAN',
  summary: 'Turns JSON strings, one a line on standard input, into arrays of ids; no start or end ids are added.',
  options: ['model'],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ values, output, readLines }) {
    const { tokenizer } = await openPlan(values);
    for await (const text of readStrings(readLines()))
      await output.line([...tokenizer.encode(text, { addSpecial: false })]);
    return 0;
  },
};
