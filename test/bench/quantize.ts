/**
 * How long quantizing takes and how much memory, on a checkpoint of Llama 2 7B's shape with random weights:
 *
 *   node test/bench/quantize.ts FOLDER [--layers 32] [--method rtn] [--text FILE]
 *
 * Writes the checkpoint into FOLDER/checkpoint once (13.5 GB for all 32 layers), then quantizes it to FOLDER/model.plan. Run it
 * with a cold file cache, or say that it was warm. Nothing is removed afterwards.
 */
import { existsSync } from 'node:fs';
import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { quantizeCheckpoint } from '../../engines/quantize/quantize.ts';
import { describeGroup } from '../../engines/quantize/report.ts';
import { quantizeMethods } from '../../engines/quantize/rule.ts';
import { composeQuantizer } from '../../main/engine/in-process.ts';
import { byteTokenizer } from '../engines/quantize/small-llama.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    layers: { type: 'string', default: '32' },
    method: { type: 'string', default: 'rtn' },
    head: { type: 'string', default: 'f16' },
    sequences: { type: 'string', default: '16' },
  },
});
const [folder = ''] = positionals;
const numLayers = Number(values.layers);
const method = quantizeMethods.find((name) => name === values.method) ?? 'rtn';
const checkpoint = join(folder, `checkpoint-${numLayers}`);
const [size, inner, vocabulary] = [4096, 11008, 32000];

if (!existsSync(checkpoint)) await writeCheckpoint();

const quantizer = await composeQuantizer();
const secondsIn = new Map<string, number>();
let numGroups = 0;
const bench = quantizer.openWorkbench();
const { packMeasured, toAwqGemm, builder } = timed(quantizer);
const arithmetic = { packMeasured, toAwqGemm, builder: timed(builder), openWorkbench: () => timed(bench) };
const startMs = performance.now();
const out = join(folder, 'model.plan');
await quantizeCheckpoint({
  checkpoint,
  target: { type: 'plan', out },
  method,
  head: values.head === 'int8' ? 'int8' : 'f16',
  arithmetic,
  maxSequences: Number(values.sequences),
  onGroup: (group) => {
    if (numGroups++ % 16 === 0) console.log(describeGroup(group));
  },
});
const seconds = (performance.now() - startMs) / 1000;
const { maxRSS } = process.resourceUsage();
const { user, system } = process.cpuUsage();
const processor = `${((user + system) / 1e6).toFixed(1)} s of processor time (${(system / 1e6).toFixed(1)} in the system)`;
console.log(
  `${method}: ${seconds.toFixed(1)} s, ${processor}, peak ${(maxRSS / 2 ** 20).toFixed(2)} GiB, plan ${(await stat(out)).size} bytes`,
);
for (const [name, spent] of secondsIn) console.log(`  ${name} ${spent.toFixed(1)} s`);

/** The same bench, with the time that each kind of call was under way (calls may overlap). */
function timed<Bench extends object>(inside: Bench): Bench {
  return new Proxy(inside, {
    get(target, name, receiver) {
      const method = Reflect.get(target, name, receiver) as unknown;
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) => {
        const fromMs = performance.now();
        const result = (method as (...all: unknown[]) => unknown)(...args);
        const note = () => {
          const key = String(name);
          secondsIn.set(key, (secondsIn.get(key) ?? 0) + (performance.now() - fromMs) / 1000);
        };
        return result instanceof Promise ? result.finally(note) : result;
      };
    },
  });
}

/** Random weights in float16: one block of 16 million numbers, begun at another place for each tensor. */
async function writeCheckpoint(): Promise<void> {
  await mkdir(checkpoint, { recursive: true });
  const shapes: [string, number[]][] = [['model.embed_tokens.weight', [vocabulary, size]]];
  for (let layer = 0; layer < numLayers; layer++) {
    const at = `model.layers.${layer}`;
    shapes.push([`${at}.input_layernorm.weight`, [size]], [`${at}.post_attention_layernorm.weight`, [size]]);
    for (const name of ['q', 'k', 'v', 'o']) shapes.push([`${at}.self_attn.${name}_proj.weight`, [size, size]]);
    shapes.push([`${at}.mlp.gate_proj.weight`, [inner, size]], [`${at}.mlp.up_proj.weight`, [inner, size]]);
    shapes.push([`${at}.mlp.down_proj.weight`, [size, inner]]);
  }
  shapes.push(['model.norm.weight', [size]], ['lm_head.weight', [vocabulary, size]]);
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / (2 ** 32 + 1);
  };
  const numbers = Float16Array.from({ length: 2 ** 24 }, () => {
    return 0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  });
  const block = new Uint8Array(numbers.buffer);
  const ones = new Uint8Array(new Float16Array(size).fill(1).buffer);
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, shape] of shapes) {
    const bytes = shape.reduce((product, count) => product * count, 2);
    header[name] = { dtype: 'F16', shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = await open(join(checkpoint, 'model.safetensors'), 'w');
  await file.write(Buffer.concat([length, text]));
  for (const [index, [, shape]] of shapes.entries()) {
    let left = shape.reduce((product, count) => product * count, 2);
    if (shape.length === 1) {
      await file.write(ones);
      continue;
    }
    for (let at = (index * 777_778) % block.length; left > 0; at = 0) {
      const piece = block.subarray(at, Math.min(block.length, at + left));
      await file.write(piece);
      left -= piece.length;
    }
  }
  await file.sync();
  await file.close();
  const config = {
    model_type: 'llama',
    hidden_size: size,
    intermediate_size: inner,
    num_hidden_layers: numLayers,
    num_attention_heads: 32,
    vocab_size: vocabulary,
    max_position_embeddings: 4096,
    rms_norm_eps: 1e-5,
  };
  await writeFile(join(checkpoint, 'config.json'), JSON.stringify(config));
  await writeFile(join(checkpoint, 'tokenizer.json'), JSON.stringify(byteTokenizer()));
}
