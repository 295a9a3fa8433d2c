/**
 * The road's figures, measured as a person meets them: through `quoth serve` and the contract, from outside the process.
 *
 *     npm run setup && node_modules/.bin/node test/bench/figures.ts        (with nothing else running; some minutes)
 *
 * Text comes from ../shared/data/quality/wikitext-2. The 100,000 passages get random unit vectors: the time of an exact
 * search does not depend on what they say, and embedding them would take longer than all the rest.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { createClient } from '../../app/contract/client.ts';
import { contract } from '../../app/contract/contract.ts';
import type { Port } from '../../app/contract/port.ts';
import type { Answer } from '../../app/contract/types.ts';
import { openDatabase } from '../../app/store/database.ts';
import { createPassageTable } from '../../app/store/passage-table.ts';
import { fillProfile } from '../../main/fill-profile.ts';
import { root } from '../../main/setup/tools.mjs';
import { openDisplay } from '../e2e/display.ts';
import { findElectron } from '../e2e/electron-runtime.ts';
import { makePdf } from '../fakes/pdf.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'quoth-figures-'));
const rows: string[][] = [];
const row = (what: string, asked: string, measured: string): void => {
  rows.push([what, asked, measured]);
  process.stdout.write(`| ${what} | ${asked} | ${measured} |\n`);
};
const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** A file of the shared data, or the reason why there is nothing to measure with. */
function sharedText(): string[] {
  const base = path.join(root, '..', 'shared', 'data', 'quality');
  const found = existsSync(base)
    ? readdirSync(base, { recursive: true, encoding: 'utf8' }).filter((name) =>
        /wikitext-2-raw.*\.gz$|wikitext-2-raw.*\.txt$/.test(name),
      )
    : [];
  const [name] = found;
  if (!name) throw new Error('../shared/data/quality/wikitext-2-raw is needed.');
  const bytes = readFileSync(path.join(base, name));
  const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.length > 200);
}

/** Passages of about 150 words: windows over the text, no two the same. */
function passagesOf(paragraphs: string[], count: number): { heading: null; text: string }[] {
  const words = paragraphs.join(' ').split(/\s+/);
  return Array.from({ length: count }, (_, i) => {
    const start = (i * 7919) % (words.length - 160);
    return { heading: null, text: `${words.slice(start, start + 150).join(' ')} (${i})` };
  });
}

type Served = { process: ChildProcess; address: string; readyMs: number };

async function serve(profile: string): Promise<Served> {
  const startMs = performance.now();
  const child = spawn(
    process.execPath,
    [path.join(root, 'main/cli/quoth.mjs'), 'serve', '--json', '--profile', profile],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  for await (const piece of child.stdout.setEncoding('utf8')) {
    const { address } = JSON.parse(String(piece).split('\n')[0] ?? '') as { address: string };
    return { process: child, address, readyMs: performance.now() - startMs };
  }
  throw new Error('quoth serve ended without an address.');
}

async function end({ process: child }: Served): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

async function connect(address: string) {
  const url = new URL(address);
  const socket = new WebSocket(`ws://${url.host}/port`, ['quoth.v1', `token.${url.hash.slice('#token='.length)}`], {
    origin: url.origin,
  });
  await once(socket, 'open');
  const port: Port = {
    send: (message) => socket.send(JSON.stringify(message)),
    onMessage: (listener) => void socket.on('message', (data) => listener(JSON.parse(String(data)))),
    onClose: (listener) => void socket.once('close', listener),
    close: () => socket.close(),
  };
  return { client: createClient(contract, port), close: port.close };
}

/** Resident bytes of a process: all, and those of them that are not pages of mapped files. Linux only. */
function memoryOf(pid: number): { allBytes: number; ownBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN);
  return { allBytes: kilobytes('VmRSS') * 1024, ownBytes: kilobytes('RssAnon') * 1024 };
}

/** The core (the process that listens) and its engine: children of what we started, told apart by their script. */
function processesBelow(pid: number): { core: number; engine: number } {
  const found = { core: pid, engine: Number.NaN };
  const visit = (parent: number): void => {
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      try {
        if (Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]) !== parent) continue;
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        if (command.includes('engine-process')) found.engine = Number(name);
        else if (command.includes('cli.')) found.core = Number(name);
        visit(Number(name));
      } catch {
        // It ended while we looked.
      }
    }
  };
  visit(pid);
  return found;
}

async function measureStart(): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const served = await serve(path.join(folder, 'start'));
    times.push(served.readyMs);
    await end(served);
  }
  row('address ready after the command', '≤ 1.5 s', `${(median(times) / 1000).toFixed(2)} s (median of 5)`);
}

/** Asks a page of a Chromium, over its debugging port, until its answer is true. */
async function waitForPage(port: string, expression: string): Promise<void> {
  for (;;) {
    const pages = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
      webSocketDebuggerUrl: string;
      type: string;
    }[];
    const page = pages.find(({ type }) => type === 'page');
    if (!page) continue;
    const socket = new WebSocket(page.webSocketDebuggerUrl);
    await once(socket, 'open');
    socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression, returnByValue: true } }));
    const [data] = await once(socket, 'message');
    socket.close();
    // No result while the page has no document yet.
    const { result } = JSON.parse(String(data)) as { result?: { result?: { value?: unknown } } };
    if (result?.result?.value === true) return;
    await setTimeout(10);
  }
}

/** From the start of the Electron program until the question can be typed, without any test driver. */
async function measureWindow(): Promise<void> {
  const electron = findElectron();
  if ('reason' in electron) return row('Electron window ready', '≤ 1.5 s', `not measured: ${electron.reason}`);
  const display = await openDisplay();
  const times: number[] = [];
  for (let i = 0; i < 15; i++) {
    const startMs = performance.now();
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const profile = path.join(folder, 'window');
    const child = spawn(
      electron.binary,
      [...sandbox, '--disable-gpu', '--remote-debugging-port=0', root, `--profile=${profile}`],
      { env: { ...process.env, DISPLAY: display.name }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    for await (const piece of child.stderr.setEncoding('utf8')) {
      said += piece;
      const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (!port) continue;
      await waitForPage(port, "document.querySelector('textarea') !== null");
      times.push(performance.now() - startMs);
      break;
    }
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  display.close();
  row(
    'Electron window ready',
    '≤ 1.5 s',
    `${(median(times) / 1000).toFixed(2)} s (median of ${times.length}, worst ${(Math.max(...times) / 1000).toFixed(2)})`,
  );
}

async function measurePdf(paragraphs: string[]): Promise<void> {
  const words = paragraphs
    .join(' ')
    .replace(/[^\x20-\x7e]/g, '')
    .split(/\s+/);
  const pages = Array.from({ length: 100 }, (_, page) =>
    Array.from({ length: 22 }, (_, line) => words.slice((page * 22 + line) * 9, (page * 22 + line + 1) * 9).join(' ')),
  );
  const file = path.join(folder, 'hundred pages.pdf');
  writeFileSync(file, makePdf(pages));
  const seconds: number[] = [];
  for (let i = 0; i < 3; i++) {
    const startMs = performance.now();
    const profile = path.join(folder, `pdf-${i}`);
    const child = spawn(process.execPath, [
      path.join(root, 'main/cli/quoth.mjs'),
      'add',
      file,
      '--json',
      '--profile',
      profile,
    ]);
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`quoth add ended with ${code}.`);
    seconds.push((performance.now() - startMs) / 1000);
  }
  row(
    '100-page PDF (20,000 words) searchable, whole command',
    '≤ 10 s',
    `${median(seconds).toFixed(1)} s (median of 3)`,
  );
}

function fill(profile: string, paragraphs: string[], count: number): void {
  mkdirSync(profile, { recursive: true });
  const ids = [...fillProfile(profile, passagesOf(paragraphs, count)).keys()];
  const database = openDatabase({ profileFolder: profile, nowMs: Date.now, log: () => undefined });
  const store = createPassageTable(database);
  const dimension = 384;
  for (let first = 0; first < ids.length; first += 2000) {
    const some = ids.slice(first, first + 2000);
    const vectors = new Float32Array(some.length * dimension);
    for (let i = 0; i < some.length; i++) {
      const one = vectors.subarray(i * dimension, (i + 1) * dimension);
      for (let j = 0; j < dimension; j++) one[j] = Math.random() - 0.5;
      const length = Math.hypot(...one);
      for (let j = 0; j < dimension; j++) one[j] = one[j]! / length;
    }
    store.addVectors('all-minilm-l6-v2', some, vectors);
  }
  database.close();
}

const questions = [
  'When was the album released?',
  'Who commanded the ship in the battle?',
  'How tall is the tower of the church?',
  'What did the critics write about the film?',
  'Which species of bird nests in the marsh?',
];

async function measureSearch(profile: string, count: number): Promise<void> {
  const served = await serve(profile);
  const { client, close } = await connect(served.address);
  await client.search({ question: 'the first opens the index', limit: 10 });
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const startMs = performance.now();
    const { passages } = await client.search({ question: questions[i % questions.length]!, limit: 10 });
    if (passages.length !== 10) throw new Error('A search found too little.');
    times.push(performance.now() - startMs);
  }
  const worst = Math.max(...times).toFixed(0);
  row(
    `search over ${count.toLocaleString('en')} passages, embedding included`,
    '≤ 60 ms',
    `${median(times).toFixed(0)} ms (median of 20, worst ${worst})`,
  );
  close();
  await end(served);
}

async function ask(client: Awaited<ReturnType<typeof connect>>['client'], question: string): Promise<Answer> {
  for await (const event of client.ask({ question, chatId: null })) if (event.type === 'answer') return event.answer;
  throw new Error('An answer did not come.');
}

/** Two questions about one page, in a fresh process: the first pays for loading the model and for the page's text. */
async function measureAsk(profile: string): Promise<void> {
  const served = await serve(profile);
  const { client, close } = await connect(served.address);
  const answers = {
    first: await ask(client, 'Which film roles did the actor Robert Boulter play?'),
    second: await ask(client, 'In which theatre plays did the actor Robert Boulter appear?'),
  };
  for (const [name, { timings }] of Object.entries(answers))
    row(
      `${name} question: ${timings.numPromptTokens} tokens, ${timings.numCachedTokens} of them cached: first word`,
      name === 'first' ? '' : '≤ 1/3 of the first',
      `${(timings.ttftMs / 1000).toFixed(2)} s (search ${timings.retrieveMs.toFixed(0)} ms); then ${timings.decodeTokensPerSecond.toFixed(0)} tokens/s`,
    );
  close();
  await end(served);
}

async function measureMemory(profile: string): Promise<void> {
  const served = await serve(profile);
  const { client, close } = await connect(served.address);
  await client.search({ question: questions[0]!, limit: 10 });
  const pids = processesBelow(served.process.pid!);
  const before = memoryOf(pids.core);
  await ask(client, 'When was the album released in the United Kingdom?');
  const core = memoryOf(pids.core);
  const engine = memoryOf(pids.engine);
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  row(
    'core with 10,000 passages, after search / after asking',
    '≤ 300 MB',
    `${megabytes(before.allBytes)} / ${megabytes(core.allBytes)}`,
  );
  row(
    'engine, all / without the mapped weights',
    'weights + KV + 200 MB',
    `${megabytes(engine.allBytes)} / ${megabytes(engine.ownBytes)}`,
  );
  close();
  await end(served);
}

try {
  process.stdout.write(`${cpus()[0]?.model}, ${cpus().length} cores\n\n| what | asked | measured |\n|---|---|---|\n`);
  const paragraphs = sharedText();
  await measureStart();
  await measureWindow();
  await measurePdf(paragraphs);
  await measureAsk(path.join(folder, 'pdf-0'));
  for (const count of [10_000, 100_000]) {
    const profile = path.join(folder, `passages-${count}`);
    fill(profile, paragraphs, count);
    if (count === 10_000) await measureMemory(profile);
    await measureSearch(profile, count);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
