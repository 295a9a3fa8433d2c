/** What a command of the command line is, and what it is given. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { Core } from '../compose.ts';
import type { Output } from './output.ts';

/** The person asked for something that there is not: exit code 2. */
export class WrongUse extends Error {
  override readonly name = 'WrongUse';
}

export type Values = { [name: string]: string | undefined };

export type Context = {
  positionals: string[];
  values: Values;
  output: Output;
  profileFolder: string;
  /**
   * Opens the profile and the engine's supervisor, once; closed when the command ends. `resume`: go on with documents that
   * an earlier start left unfinished; a command that only looks leaves them. `forPrograms`: other programs can be let in.
   */
  openCore(options?: { resume?: boolean; forPrograms?: boolean }): Promise<Core>;
  /** Aborts at Ctrl-C. */
  signal: AbortSignal;
  /** The lines of standard input. To be read at once: what comes before the loop starts is lost. */
  readLines(): AsyncIterable<string>;
};

export type Command = {
  /** After `quoth `: what is shown when it is used wrongly. */
  usage: string;
  /** One line for the list of commands. */
  summary: string;
  /** Options with a value, without `--`. `-k` is the short form of one named `k`. */
  options: readonly string[];
  /** Options without a value: `--print`. They come as `'true'` or not at all. */
  flags?: readonly string[];
  minPositionals: number;
  maxPositionals: number;
  /** The exit code, 0 if absent. */
  run(context: Context): Promise<number | undefined>;
};

const globalOptions = {
  profile: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export type Arguments = {
  positionals: string[];
  values: Values;
  json: boolean;
  help: boolean;
  profile: string | undefined;
};

/** Parses the words after the command's name. Throws `WrongUse` with one sentence. */
export function parseArguments(command: Command, words: string[]): Arguments {
  const own: NonNullable<ParseArgsConfig['options']> = {};
  for (const name of command.options)
    own[name] = name.length === 1 ? { type: 'string', short: name } : { type: 'string' };
  for (const name of command.flags ?? []) own[name] = { type: 'boolean' };
  let parsed: { positionals: string[]; values: { [name: string]: unknown } };
  try {
    parsed = parseArgs({ args: words, options: { ...own, ...globalOptions }, allowPositionals: true });
  } catch (error) {
    throw new WrongUse((error as Error).message.split(/\. |\n/)[0] ?? 'The options are wrong.');
  }
  const { profile, json, help, ...values } = parsed.values;
  const { positionals } = parsed;
  const numWords = positionals.length;
  if (!help && numWords < command.minPositionals) throw new WrongUse('Something is missing.');
  if (!help && numWords > command.maxPositionals)
    throw new WrongUse(
      `"${positionals[command.maxPositionals]}" is too much; use quotation marks around several words.`,
    );
  const texts = Object.entries(values).map(([name, value]) => [name, value === true ? 'true' : value]);
  return {
    positionals,
    values: Object.fromEntries(texts) as Values,
    json: json === true,
    help: help === true,
    profile: profile as string | undefined,
  };
}

/** A whole number of an option, within bounds. */
export function wholeNumber(
  values: Values,
  name: string,
  bounds: { default: number; min: number; max: number },
): number {
  const text = values[name];
  if (text === undefined) return bounds.default;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= bounds.min && value <= bounds.max))
    throw new WrongUse(`${optionName(name)} must be a whole number from ${bounds.min} to ${bounds.max}.`);
  return value;
}

/** A number of an option, within bounds. */
export function realNumber(
  values: Values,
  name: string,
  bounds: { default: number; min: number; max: number },
): number {
  const text = values[name];
  if (text === undefined) return bounds.default;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= bounds.min && value <= bounds.max))
    throw new WrongUse(`${optionName(name)} must be a number from ${bounds.min} to ${bounds.max}.`);
  return value;
}

/** An option that must be there. */
export function needed(values: Values, name: string): string {
  const value = values[name];
  if (value === undefined || value === '') throw new WrongUse(`${optionName(name)} is missing.`);
  return value;
}

function optionName(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
