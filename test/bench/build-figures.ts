/**
 * How fast a plan is built from a 7B AWQ checkpoint, beside a plain copy of the same files, in turns:
 *
 *     npm run setup && node_modules/.bin/node test/bench/build-figures.ts [rounds] [folder]
 *
 * The checkpoint has Mistral 7B's shapes and random codes (4.2 GB); it, its copy and the plan want 13 GB in the folder
 * (else the temporary one). Copy and build both end with the file on the disk (fsync). Where the system lets us, what
 * it keeps of files in memory is dropped before each, so that both read from the disk.
 */
import { fork } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPlan } from '../../engines/build/build.ts';
import { writeLlamaConfig } from '../engines/packed-folders.ts';
import { openNative } from '../native/native.ts';

const [hidden, inner, kv, layers, vocabulary, groupSize] = [4096, 14336, 1024, 32, 32000, 128];
const layersOfShard = 8;
const megabyte = 2 ** 20;

type Piece = { name: string; dtype: string; shape: number[]; sizeBytes: number };

function piecesOfShard(shard: number): Piece[] {
  const pieces: Piece[] = [];
  const put = (name: string, dtype: string, shape: number[]) => {
    const valueBytes = dtype === 'I32' ? 4 : 2;
    pieces.push({ name, dtype, shape, sizeBytes: shape.reduce((product, size) => product * size, valueBytes) });
  };
  const linear = (name: string, rows: number, columns: number) => {
    put(`${name}.qweight`, 'I32', [columns, rows / 8]);
    put(`${name}.qzeros`, 'I32', [columns / groupSize, rows / 8]);
    put(`${name}.scales`, 'F16', [columns / groupSize, rows]);
  };
  if (shard === 0) put('model.embed_tokens.weight', 'F16', [vocabulary, hidden]);
  for (let layer = shard * layersOfShard; layer < (shard + 1) * layersOfShard; layer++) {
    const at = `model.layers.${layer}`;
    put(`${at}.input_layernorm.weight`, 'F16', [hidden]);
    put(`${at}.post_attention_layernorm.weight`, 'F16', [hidden]);
    linear(`${at}.self_attn.q_proj`, hidden, hidden);
    linear(`${at}.self_attn.k_proj`, kv, hidden);
    linear(`${at}.self_attn.v_proj`, kv, hidden);
    linear(`${at}.self_attn.o_proj`, hidden, hidden);
    linear(`${at}.mlp.gate_proj`, inner, hidden);
    linear(`${at}.mlp.up_proj`, inner, hidden);
    linear(`${at}.mlp.down_proj`, hidden, inner);
  }
  if ((shard + 1) * layersOfShard === layers) {
    put('model.norm.weight', 'F16', [hidden]);
    put('lm_head.weight', 'F16', [vocabulary, hidden]);
  }
  return pieces;
}

async function writeCheckpoint(folder: string): Promise<void> {
  const sizes = { hidden, inner, layers, heads: 32, vocabulary };
  const quantization = { quant_method: 'awq', bits: 4, group_size: groupSize, zero_point: true, version: 'gemm' };
  await writeLlamaConfig(folder, sizes, quantization);
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, num_key_value_heads: 8 }));
  const codes = randomFillSync(Buffer.alloc(64 * megabyte));
  // Halves from 2^-7 to 2^-6: any bits in their fractions.
  const halves = Buffer.from(
    Uint16Array.from({ length: 8 * megabyte }, (_, i) => 0x2000 | (codes.readUInt16LE(2 * i) & 0x3ff)).buffer,
  );
  for (let shard = 0; shard < layers / layersOfShard; shard++) {
    const pieces = piecesOfShard(shard);
    let end = 0;
    const header: Record<string, unknown> = {};
    for (const { name, dtype, shape, sizeBytes } of pieces) {
      header[name] = { dtype, shape, data_offsets: [end, end + sizeBytes] };
      end += sizeBytes;
    }
    const text = Buffer.from(JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    const file = await open(join(folder, `model-0000${shard + 1}-of-00004.safetensors`), 'w');
    await file.write(Buffer.concat([size, text]));
    for (const { dtype, sizeBytes } of pieces) {
      const pool = dtype === 'I32' ? codes : halves;
      for (let done = 0; done < sizeBytes; ) {
        const first = (done * 7 + sizeBytes) % (pool.length / 2);
        const count = Math.min(sizeBytes - done, pool.length - first);
        await file.write(pool, first - (first % 4), count);
        done += count;
      }
    }
    await file.sync();
    await file.close();
  }
}

/** What `cp` does, and an fsync: read and write, 8 MiB at a time. */
async function copyFiles(from: string, to: string, names: string[]): Promise<void> {
  const block = Buffer.allocUnsafeSlow(8 * megabyte);
  const target = await open(to, 'w');
  for (const name of names) {
    const source = await open(join(from, name));
    for (;;) {
      const { bytesRead } = await source.read(block, 0, block.length);
      if (bytesRead === 0) break;
      await target.write(block, 0, bytesRead);
    }
    await source.close();
  }
  await target.sync();
  await target.close();
}

/** Linux, as root: false where files stay in memory. */
async function dropCaches(): Promise<boolean> {
  return writeFile('/proc/sys/vm/drop_caches', '3').then(
    () => true,
    () => false,
  );
}

type Built = { seconds: number; cpuSeconds: number; peakBytes: number };

async function buildInChild(checkpoint: string, out: string): Promise<Built> {
  const child = fork(import.meta.filename, ['--build', checkpoint, out]);
  const [answer] = (await once(child, 'message')) as [Built];
  await once(child, 'exit');
  return answer;
}

const [first, second, third] = process.argv.slice(2);
if (first === '--build') {
  const { builder } = await openNative();
  const start = performance.now();
  await buildPlan({ checkpoint: second!, out: third!, builder });
  const seconds = (performance.now() - start) / 1000;
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  process.send!({ seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes: maxRSS * 1024 });
  process.disconnect();
} else {
  const folder = await mkdtemp(join(second ?? tmpdir(), 'quoth-build-'));
  try {
    await openNative();
    await writeCheckpoint(folder);
    const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));
    let sourceBytes = 0;
    for (const name of names) sourceBytes += (await stat(join(folder, name))).size;
    const isCold = await dropCaches();
    process.stdout.write(
      `${cpus().length} × ${cpus()[0]?.model}; ${(sourceBytes / 1e9).toFixed(2)} GB; caches ${isCold ? 'dropped' : 'warm'}\n`,
    );
    process.stdout.write(
      '| copy, s (MB/s) | build, s (MB/s) | build / copy | processor, s | plan, GB | peak memory, MB |\n|---|---|---|---|---|---|\n',
    );
    for (let round = 0; round < Number(first ?? 3); round++) {
      await dropCaches();
      const start = performance.now();
      await copyFiles(folder, join(folder, 'copy'), names);
      const copySeconds = (performance.now() - start) / 1000;
      await rm(join(folder, 'copy'));
      await dropCaches();
      const { seconds, cpuSeconds, peakBytes } = await buildInChild(folder, join(folder, 'plan'));
      const { size } = await stat(join(folder, 'plan'));
      await rm(join(folder, 'plan'));
      const rate = (time: number) => `${time.toFixed(1)} (${(sourceBytes / 1e6 / time).toFixed(0)})`;
      const share = ((100 * copySeconds) / seconds).toFixed(0);
      process.stdout.write(
        `| ${rate(copySeconds)} | ${rate(seconds)} | ${share} % | ${cpuSeconds.toFixed(1)} | ${(size / 1e9).toFixed(2)} | ${(peakBytes / 1e6).toFixed(0)} |\n`,
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
