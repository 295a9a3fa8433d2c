/** The command line: finds the command, runs it, turns what it throws into one sentence and an exit code. */
import path from 'node:path';
import { createInterface } from 'node:readline';
import { QuothError } from '../../app/contract/errors.ts';
import { ModelError } from '../../engines/model-error.ts';
import { nativeErrorCodes } from '../../native/index.ts';
import type { Core } from '../compose.ts';
import { defaultProfileFolder } from '../folders.ts';
import { takeFetch } from '../only-way-out.ts';
import { type Command, parseArguments, WrongUse } from './command.ts';
import { createOutput } from './output.ts';

/** Loaded when they are asked for: `quoth list` does not wait for the benchmarks. */
const commands: Record<string, () => Promise<{ command: Command }>> = {
  add: () => import('./commands/add.ts'),
  list: () => import('./commands/list.ts'),
  folders: () => import('./commands/folders.ts'),
  collections: () => import('./commands/collections.ts'),
  remove: () => import('./commands/remove.ts'),
  search: () => import('./commands/search.ts'),
  ask: () => import('./commands/ask.ts'),
  summarise: () => import('./commands/summarise.ts'),
  mentions: () => import('./commands/mentions.ts'),
  compare: () => import('./commands/compare.ts'),
  jobs: () => import('./commands/jobs.ts'),
  chats: () => import('./commands/chats.ts'),
  export: () => import('./commands/export.ts'),
  models: () => import('./commands/models.ts'),
  build: () => import('./commands/build.ts'),
  quantize: () => import('./commands/quantize.ts'),
  generate: () => import('./commands/generate.ts'),
  score: () => import('./commands/score.ts'),
  tokenize: () => import('./commands/tokenize.ts'),
  embed: () => import('./commands/embed.ts'),
  eval: () => import('./commands/eval.ts'),
  bench: () => import('./commands/bench.ts'),
  engine: () => import('./commands/engine.ts'),
  serve: () => import('./commands/serve.ts'),
  mcp: () => import('./commands/mcp.ts'),
  doctor: () => import('./commands/doctor.ts'),
  window: () => import('./commands/window.ts'),
};

async function help(): Promise<string> {
  const loaded = await Promise.all(Object.values(commands).map((load) => load()));
  const lines = loaded.map(({ command }) => `  quoth ${command.usage}\n      ${command.summary}`);
  return [
    'Quoth answers questions from your own documents, each sentence with its proof.',
    '',
    ...lines,
    '',
    'Every command takes --profile DIR (another library) and --json (one JSON object a line).',
  ].join('\n');
}

/** Runs one command and gives its exit code: 0, 1 (failed) or 2 (wrong use). */
export async function run(words: string[]): Promise<number> {
  const [name, ...rest] = words;
  const fail = (text: string): void => void process.stderr.write(`${text}\n`);
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    const text = await help();
    if (name !== undefined) process.stdout.write(`${text}\n`);
    else fail(text);
    return name === undefined ? 2 : 0;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!load) {
    fail(`There is no command "${name}"; "quoth help" lists them.`);
    return 2;
  }
  const { command } = await load();
  const controller = new AbortController();
  let core: Promise<Core> | undefined;
  process.once('SIGINT', () => controller.abort());
  process.once('SIGTERM', () => controller.abort());
  try {
    const { positionals, values, json, help: wantsHelp, profile } = parseArguments(command, rest);
    if (wantsHelp) {
      process.stdout.write(`quoth ${command.usage}\n${command.summary}\n`);
      return 0;
    }
    const profileFolder = profile ? path.resolve(profile) : (process.env.QUOTH_PROFILE ?? defaultProfileFolder());
    const code = await command.run({
      positionals,
      values,
      output: createOutput(process.stdout, json),
      profileFolder,
      openCore({ resume = false, forPrograms = false } = {}) {
        core ??= import('../compose.ts').then(({ compose }) =>
          compose({ profileFolder, resume, forPrograms, fetch: takeFetch() }),
        );
        return core;
      },
      signal: controller.signal,
      readLines: () => createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY }),
    });
    return code ?? 0;
  } catch (thrown) {
    if (thrown instanceof WrongUse) {
      fail(`${thrown.message} Usage: quoth ${command.usage}`);
      return 2;
    }
    fail(controller.signal.aborted ? 'Stopped.' : sentenceOf(thrown));
    return 1;
  } finally {
    await (await core?.catch(() => undefined))?.close();
  }
}

/** One sentence for the person. A fault of ours shows its origin: whoever types commands can make use of it. */
function sentenceOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const code = (thrown as { code?: unknown }).code;
  const isKnown =
    thrown instanceof QuothError || thrown instanceof ModelError || nativeErrorCodes.some((one) => one === code);
  if (isKnown) return oneLine(thrown.message);
  if (process.env.QUOTH_DEBUG) return thrown.stack ?? thrown.message;
  return `Something went wrong inside Quoth (${oneLine(thrown.message)}); QUOTH_DEBUG=1 shows where.`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe went away: nobody is left to tell.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
// The launcher's end is ours, however it comes.
if (process.channel) {
  process.on('disconnect', () => process.exit(1));
  process.channel.unref();
}
process.exitCode = await run(process.argv.slice(2));
// What is still open (a socket that lingers, a timer) must not hold the shell.
process.stdout.write('', () => process.exit());
