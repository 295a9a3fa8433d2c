import { stat } from 'node:fs/promises';
import path from 'node:path';
import { QuothError } from '../../../app/contract/errors.ts';
import { buildPlan } from '../../../engines/build/build.ts';
import { composeEngine } from '../../compose.ts';
import { type Command, needed, type Values } from '../command.ts';

export const command: Command = {
  usage: 'build <checkpoint> --out PLAN [--tokenizer FILE] [--query-prompt TEXT] [--passage-prompt TEXT]',
  summary: 'Builds a plan from a published checkpoint: a GGUF file, a Hugging Face folder, or a llama2.c file.',
  options: ['out', 'tokenizer', 'query-prompt', 'passage-prompt'],
  minPositionals: 1,
  maxPositionals: 1,
  async run({ positionals: [checkpoint = ''], values, output, signal }) {
    const out = path.resolve(needed(values, 'out'));
    for (const file of [checkpoint, ...(values.tokenizer ? [values.tokenizer] : [])])
      await stat(file).catch((cause: unknown) => {
        throw new QuothError('not-found', `There is no "${file}".`, { cause });
      });
    const native = composeEngine();
    try {
      let lastPercent = -1;
      const header = await buildPlan({
        checkpoint: path.resolve(checkpoint),
        out,
        builder: native.builder,
        tokenizerFile: values.tokenizer && path.resolve(values.tokenizer),
        prompts: promptsOf(values),
        signal,
        onProgress({ doneBytes, totalBytes }) {
          const percent = Math.floor((100 * doneBytes) / Math.max(1, totalBytes));
          if (percent >= lastPercent + 10) void output.say({ type: 'progress', doneBytes, totalBytes }, `${percent} %`);
          if (percent >= lastPercent + 10) lastPercent = percent;
        },
      });
      const { size } = await stat(out);
      const { architecture, role, name } = header;
      await output.say(
        { type: 'built', plan: out, planBytes: size, architecture, role, name },
        `Built ${out} (${name}, ${(size / 1e6).toFixed(0)} MB).`,
      );
      return 0;
    } finally {
      native.close();
    }
  },
};

/** What an embedder wants before a question and a passage, where the checkpoint does not say it. */
function promptsOf(values: Values): { query: string; passage: string } | undefined {
  const { 'query-prompt': query, 'passage-prompt': passage } = values;
  return query === undefined && passage === undefined ? undefined : { query: query ?? '', passage: passage ?? '' };
}
