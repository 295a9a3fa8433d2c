/** Turns of two sides, and a row of what they took. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { root } from '../../../main/setup/tools.mjs';
import type { Done, Side, Task } from './side.ts';

export type Setting = {
  /** The folder that the peers were installed into, and where plans go. */
  peers: string;
  plans: string;
  threads: readonly number[];
  rounds: number;
  only: string;
  numChunks: number;
  encoder: { onnx: string; checkpoint: string };
  say: (line: string) => void;
};

export const scriptOf = (name: string): string => path.join(import.meta.dirname, `${name}-side.ts`);

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

type Pair = { what: string; threads: number; ours: Side; peer: Side; units: number; unit: string };

/** A round beforehand, then `rounds` turns of the two; `taskOf` gives each round other ids. Returns the last round's values. */
export async function inTurns(setting: Setting, pair: Pair, taskOf: (round: number) => Task): Promise<[Done, Done]> {
  const ours: Done[] = [];
  const peers: Done[] = [];
  for (let round = -1; round < setting.rounds; round++) {
    const task = taskOf(round + 1);
    // Who goes first changes: what one leaves behind in the caches is not always the same one's gain.
    const order = round % 2 === 0 ? [pair.ours, pair.peer] : [pair.peer, pair.ours];
    const first = await order[0]!.run(task);
    const second = await order[1]!.run(task);
    const [our, peer] = order[0] === pair.ours ? [first, second] : [second, first];
    if (round < 0) continue;
    ours.push(our);
    peers.push(peer);
  }
  const ratio = (time: 'wallMs' | 'processorMs'): string =>
    median(ours.map((one, i) => peers[i]![time] / one[time])).toFixed(2);
  const rate = (all: Done[]): string => {
    const least = Math.min(...all.map(({ wallMs }) => wallMs));
    return `${((1000 * pair.units) / median(all.map(({ wallMs }) => wallMs))).toFixed(1)} (best ${((1000 * pair.units) / least).toFixed(1)})`;
  };
  setting.say(
    `| ${pair.what}, ${pair.unit} | ${pair.threads} | ${rate(ours)} | ${rate(peers)} | **${ratio('wallMs')}×** | ${ratio('processorMs')}× |`,
  );
  return [ours.at(-1)!, peers.at(-1)!];
}

/** `quoth …`, which must succeed. */
export function quoth(...words: string[]): void {
  const ran = spawnSync(process.execPath, [path.join(root, 'main/cli/quoth.mjs'), ...words], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`quoth ${words.join(' ')}\n${ran.stderr}`);
}

/** The text of WikiText-2's test, as it was published. */
export function wikiText(): string {
  const folder = path.join(root, '..', 'shared/data/quality/wikitext-2-raw');
  const name = existsSync(folder) ? readdirSync(folder).find((file) => file.endsWith('.gz')) : undefined;
  if (!name) throw new Error('../shared/data/quality/wikitext-2-raw is needed.');
  return gunzipSync(readFileSync(path.join(folder, name))).toString('utf8');
}
