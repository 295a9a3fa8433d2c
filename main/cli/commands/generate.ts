import { randomInt } from 'node:crypto';
import { QuothError } from '../../../app/contract/errors.ts';
import { type Command, needed, realNumber, WrongUse, wholeNumber } from '../command.ts';
import { readIds } from '../json-input.ts';
import { engineOptionNames, engineOptions, openPlan, withEngine } from '../plan-model.ts';

export const command: Command = {
  usage: 'generate --model PLAN --prompt TEXT|--prompt-ids FILE [--max-tokens N --temperature T --seed S]',
  summary: 'Continues a text with a model. The text goes in as it is, without a chat template.',
  options: [...engineOptionNames, 'prompt', 'prompt-ids', 'max-tokens', 'temperature', 'seed'],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ values, output, signal }) {
    const maxTokens = wholeNumber(values, 'max-tokens', { default: 128, min: 1, max: 1_000_000 });
    const temperature = realNumber(values, 'temperature', { default: 0, min: 0, max: 10 });
    const seed = wholeNumber(values, 'seed', { default: randomInt(2 ** 31), min: 0, max: 2 ** 32 - 1 });
    if ((values.prompt === undefined) === (values['prompt-ids'] === undefined))
      throw new WrongUse('Give either --prompt or --prompt-ids.');
    const { plan, header, tokenizer } = await openPlan(values);
    const promptIds =
      values.prompt === undefined
        ? await readIds(needed(values, 'prompt-ids'), header.vocabularySize)
        : tokenizer.encode(values.prompt);
    const kvTokens = Math.min(header.contextTokens, promptIds.length + maxTokens);

    return withEngine({ ...engineOptions(values, plan), kvTokens }, async (engine) => {
      const events = engine.generate({
        ids: promptIds,
        maxTokens,
        stopIds: [...header.stopIds],
        sampling: { temperature, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed },
        priority: 10,
      });
      const ids: number[] = [];
      const decoder = tokenizer.streamDecoder();
      let text = '';
      for await (const event of events) {
        if (signal.aborted) throw new QuothError('cancelled', 'Stopped.');
        if (event.type === 'tokens') {
          ids.push(...event.ids);
          const piece = decoder.push(event.ids);
          text += piece;
          await output.piece(piece);
        }
        if (event.type !== 'finished') continue;
        const rest = decoder.end();
        text += rest;
        await output.piece(rest);
        const { reason, numOutputTokens, ttftMs, decodeMs } = event;
        const timings = { numPromptTokens: promptIds.length, numOutputTokens, ttftMs, decodeMs };
        await output.say({ ids, text, finishReason: reason, timings }, output.isTerminal ? '' : null); // into a file goes the text alone
      }
      return 0;
    });
  },
};
