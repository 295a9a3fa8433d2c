import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { QuothError } from '../../../app/contract/errors.ts';
import { type QuantizeTarget, quantizeCheckpoint } from '../../../engines/quantize/quantize.ts';
import { describeGroup } from '../../../engines/quantize/report.ts';
import { type HeadType, headTypes, quantizeMethods } from '../../../engines/quantize/rule.ts';
import { composeQuantizer } from '../../engine/in-process.ts';
import { type Command, needed, type Values, WrongUse, wholeNumber } from '../command.ts';

/** What is calibrated on is some pages, evenly taken from the texts: more than a shelf of books is a mistake. */
const maxTextBytes = 32 * 1024 * 1024;

export const command: Command = {
  usage:
    'quantize <checkpoint> --out PLAN [--method awq|rtn|int8|fp8] [--head f16|int8|int4] [--tokenizer FILE] [--text FILE…] [--evaluate FILE] [--export awq --out FOLDER]',
  summary:
    'Makes a checkpoint of 16 or 32 bits smaller: 4 bits by AWQ or rounding, int8 or FP8, as a plan or for AutoAWQ.',
  options: ['out', 'method', 'head', 'tokenizer', 'text', 'evaluate', 'export', 'tokens', 'sequences'],
  minPositionals: 1,
  maxPositionals: 10_000,
  async run({ positionals: [checkpoint = '', ...more], values, output, signal }) {
    if (more.length > 0 && values.text === undefined) throw new WrongUse(`"${more[0]}" is too much.`);
    const method = oneOf(values, 'method', quantizeMethods) ?? 'awq';
    const head: HeadType = oneOf(values, 'head', headTypes) ?? 'f16';
    const out = path.resolve(needed(values, 'out'));
    const target: QuantizeTarget =
      oneOf(values, 'export', ['awq']) === 'awq' ? { type: 'awq', folder: out } : { type: 'plan', out };
    const texts = await readTexts([...(values.text === undefined ? [] : [values.text]), ...more]);
    const evaluationTexts = await readTexts(values.evaluate === undefined ? [] : [values.evaluate]);
    for (const file of [checkpoint, ...(values.tokenizer ? [values.tokenizer] : [])])
      await stat(file).catch(notFound(file));

    let lastPercent = -1;
    const report = await quantizeCheckpoint({
      checkpoint: path.resolve(checkpoint),
      target,
      method,
      head,
      arithmetic: await composeQuantizer(),
      tokenizerFile: values.tokenizer && path.resolve(values.tokenizer),
      ...(texts.length > 0 ? { texts } : {}),
      ...(evaluationTexts.length > 0 ? { evaluationTexts } : {}),
      sequenceTokens: wholeNumber(values, 'tokens', { default: 512, min: 16, max: 65_536 }),
      maxSequences: wholeNumber(values, 'sequences', { default: 16, min: 1, max: 4096 }),
      signal,
      onGroup: (group) => void output.say({ type: 'group', ...group }, describeGroup(group)),
      onProgress({ doneBytes, totalBytes, secondsLeft }) {
        const percent = Math.floor((100 * doneBytes) / Math.max(1, totalBytes));
        if (percent < lastPercent + 5) return;
        lastPercent = percent;
        const left = secondsLeft === null ? '' : `, about ${timeOf(secondsLeft)} left`;
        void output.say({ type: 'progress', doneBytes, totalBytes, secondsLeft }, `${percent} %${left}`);
      },
    });
    const { perplexity, calibrationTokens } = report;
    const words = [
      target.type === 'plan' ? `Made ${out} (${((await stat(out)).size / 1e6).toFixed(0)} MB).` : `Made ${out}.`,
      ...(calibrationTokens > 0 ? [`Calibrated on ${calibrationTokens} tokens.`] : []),
      ...(perplexity === null
        ? []
        : [
            `Perplexity over ${perplexity.tokens} tokens${perplexity.heldOut ? '' : ' that were calibrated on, too'}: ` +
              `${perplexity.before.toFixed(3)} before, ${perplexity.after.toFixed(3)} after.`,
          ]),
    ];
    await output.say({ type: 'quantized', out, method, head, calibrationTokens, perplexity }, words.join(' '));
    return 0;
  },
};

function oneOf<Name extends string>(values: Values, option: string, names: readonly Name[]): Name | undefined {
  const value = values[option];
  if (value === undefined) return undefined;
  const found = names.find((name) => name === value);
  if (found === undefined) throw new WrongUse(`--${option} must be ${names.join(', ')}.`);
  return found;
}

async function readTexts(files: readonly string[]): Promise<string[]> {
  const texts: string[] = [];
  for (const file of files) {
    const { size } = await stat(file).catch(notFound(file));
    if (size > maxTextBytes) throw new QuothError('invalid-input', `"${file}" is larger than 32 MB.`);
    try {
      texts.push(new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file)));
    } catch (cause) {
      throw new QuothError('invalid-input', `"${file}" is no text in UTF-8.`, { cause });
    }
  }
  return texts;
}

function notFound(file: string): (cause: unknown) => never {
  return (cause) => {
    throw new QuothError('not-found', `There is no "${file}".`, { cause });
  };
}

function timeOf(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
