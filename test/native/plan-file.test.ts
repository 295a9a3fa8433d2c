import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Native } from '../../native/index.ts';
import { codeOf, openNative } from './native.ts';
import { type Header, planBytes, randomNumbers, type Step, setHeader, temporaryFolder } from './plan-writer.ts';
import { tinyBert, tinyLlama } from './tiny-models.ts';

const folder = temporaryFolder();
const llama = tinyLlama();
const bert = tinyBert();
const extras = tinyLlama({ extras: true });
const reranker = tinyBert({ role: 'reranker' });
let native: Native;
beforeAll(async () => {
  native = await openNative();
}, 600_000);
afterAll(() => folder.remove());

async function failure(plan: string): Promise<{ code: unknown; message: string }> {
  try {
    const engine = await native.loadEngine({ plan, device: 'cpu' });
    await engine.close();
    return { code: 'loaded', message: '' };
  } catch (error) {
    return error as { code: unknown; message: string };
  }
}

async function expectRefused(name: string, bytes: Uint8Array, says: RegExp): Promise<void> {
  const plan = folder.write(`${name.replaceAll(/[^a-z0-9]+/gi, '-')}.plan`, bytes);
  const { code, message } = await failure(plan);
  expect({ code, message }).toEqual({ code: 'invalid-plan', message: expect.stringMatching(says) });
  expect(message).toContain(plan); // a sentence that names the file
}

const step = (header: Header, op: string): Step => header.program.steps.find((one) => one.op === op)!;
const text = (bytes: Uint8Array) => {
  const size = new DataView(bytes.buffer).getUint32(12, true);
  return new TextDecoder().decode(bytes.subarray(48, 48 + size));
};
/** A whole plan whose header is this text. */
function withHeader(change: (json: string) => string): Uint8Array {
  const bytes = planBytes(llama);
  const header = new TextEncoder().encode(change(text(bytes)));
  setHeader(bytes, header);
  return bytes;
}

test('a good plan loads', async () => {
  expect((await failure(folder.write('good.plan', planBytes(llama)))).code).toBe('loaded');
  expect((await failure(folder.write('good bert.plan', planBytes(bert)))).code).toBe('loaded');
  expect((await failure(folder.write('good extras.plan', planBytes(extras)))).code).toBe('loaded');
  expect((await failure(folder.write('good reranker.plan', planBytes(reranker)))).code).toBe('loaded');
});

describe('a file that is no plan', () => {
  const whole = planBytes(llama);
  const spoiled = (edit: (bytes: Uint8Array, view: DataView) => void) => {
    const bytes = whole.slice();
    edit(bytes, new DataView(bytes.buffer));
    return bytes;
  };
  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /begin/],
    ['shorter than the prefix', whole.slice(0, 47), /begin/],
    ['another magic', spoiled((bytes) => bytes.set([0x47], 0)), /begin/],
    ['a version to come', spoiled((_, view) => view.setUint32(8, 2, true)), /version is 2/],
    ['a header of 4 GiB', spoiled((_, view) => view.setUint32(12, 0xffffffff, true)), /64 MiB/],
    ['a header beyond the end', spoiled((_, view) => view.setUint32(12, 50_000_000, true)), /ends inside its header/],
    ['cut inside its header', whole.slice(0, 100), /ends inside its header/],
    ['a header with one bit changed', spoiled((bytes) => bytes.set([bytes[60]! ^ 1], 60)), /SHA-256/],
    ['a hash with one bit changed', spoiled((bytes) => bytes.set([bytes[16]! ^ 1], 16)), /SHA-256/],
    ['cut inside a tensor', whole.slice(0, whole.length - 1), /beyond the end/],
  ])('%s', (name, bytes, says) => expectRefused(name, bytes, says));

  test('a file that is not there, a folder and a name with NUL are io errors', async () => {
    const subfolder = join(folder.path, 'folder.plan');
    mkdirSync(subfolder);
    for (const plan of [join(folder.path, 'none.plan'), subfolder, `${folder.path}/good.plan\0.txt`]) {
      expect((await failure(plan)).code).toBe('io');
    }
  });
});

describe('a header that is not strict JSON', () => {
  test.each<[string, (json: string) => string, RegExp]>([
    ['no JSON', () => 'hello', /value is missing/],
    ['an array', () => '[]', /not an object/],
    ['cut', (json) => json.trimEnd().slice(0, -1), /JSON/],
    ['something after it', (json) => `${json}{}`, /after the value/],
    ['a comma too many', (json) => json.replace('"startIds":[1]', '"startIds":[1,]'), /JSON/],
    ['a name twice', (json) => json.replace('{', '{"role":"chat",'), /twice/],
    ['nested a thousand deep', () => '['.repeat(1000), /too deep/],
    ['a number beyond float64', (json) => json.replace('640', '1e999'), /out of range/],
    ['a leading zero', (json) => json.replace('640', '0640'), /zero/],
    ['half a surrogate pair', (json) => json.replace('Tiny Llama', '\\ud800'), /surrogate/],
    ['a control character', (json) => json.replace('Tiny Llama', 'Tiny\nLlama'), /control/],
    ['NaN', (json) => json.replace('640', 'NaN'), /JSON/],
  ])('%s', (name, change, says) => expectRefused(`json ${name}`, withHeader(change), says));

  test('bytes that are not UTF-8', async () => {
    const bytes = planBytes(llama);
    const header = new TextEncoder().encode(text(bytes).replace('Tiny Llama', 'Tiny Llam\u007f'));
    header[header.indexOf(0x7f)] = 0xc0;
    setHeader(bytes, header);
    await expectRefused('not utf8', bytes, /UTF-8/);
  });
});

describe('a header that lies', () => {
  test.each<[string, (header: Header) => void, RegExp]>([
    ['an unknown role', (h) => Object.assign(h, { role: 'judge' }), /role "judge"/],
    ['no vocabulary', (h) => Object.assign(h, { vocabularySize: 0 }), /vocabularySize/],
    ['half a token of context', (h) => Object.assign(h, { contextTokens: 0.5 }), /contextTokens/],
    ['a start id beyond the vocabulary', (h) => h.startIds.push(97), /startIds/],
    ['a chat model without kv', (h) => Object.assign(h, { kv: null }), /kv does not fit/],
    ['kv of ints', (h) => Object.assign(h.kv!, { type: 'q8' }), /kv is of a type/],
    ['kv of a million layers', (h) => Object.assign(h.kv!, { numLayers: 1e6 }), /numLayers/],
    ['no tokenizer', (h) => Object.assign(h, { tokenizer: null }), /tokenizer is missing/],
    ['tensors that are no list', (h) => Object.assign(h, { tensors: {} }), /"tensors"/],
    ['a tensor of an unknown type', (h) => Object.assign(h.tensors[0]!, { type: 'q3' }), /unknown type "q3"/],
    ['a tensor inside the header', (h) => Object.assign(h.tensors[0]!, { offset: 0 }), /inside the header/],
    ['a tensor off its alignment', (h) => Object.assign(h.tensors[0]!, { offset: h.tensors[0]!.offset + 64 }), /4096/],
    ['a tensor beyond the end', (h) => Object.assign(h.tensors[0]!, { offset: 2 ** 40 }), /beyond the end/],
    ['an offset that wraps', (h) => Object.assign(h.tensors[0]!, { offset: 2 ** 64 - 4096 }), /"offset"/],
    ['a size that is not its shape', (h) => Object.assign(h.tensors[0]!, { sizeBytes: 64 }), /shape asks for/],
    ['a shape whose size wraps', (h) => Object.assign(h.tensors[0]!, { rows: 2 ** 31, columns: 2 ** 31 }), /"rows"/],
    ['a tensor over another', (h) => Object.assign(h.tensors[2]!, { offset: h.tensors[1]!.offset }), /overlaps/],
    ['a tensor over the tokenizer', (h) => Object.assign(h.tensors[1]!, { offset: h.tokenizer.offset }), /overlaps/],
    ['a tensor without a hash', (h) => Object.assign(h.tensors[0]!, { sha256: 'abc' }), /SHA-256/],
    ['a codebook where none is', (h) => Object.assign(h.tensors[0]!, { codebook: Array(16).fill(0) }), /codebook/],
    ['q4 without a codebook', (h) => Object.assign(h.tensors[1]!, { type: 'q4' }), /no codebook/],
    ['int4_g32 of 33 columns', (h) => Object.assign(h.tensors[0]!, { type: 'int4_g32', columns: 33 }), /32 does not/],
    [
      'int4_g128 of 96 columns',
      (h) => Object.assign(h.tensors[0]!, { type: 'int4_g128', columns: 96 }),
      /128 does not/,
    ],
    ['int4_g32 in too few bytes', (h) => Object.assign(h.tensors[1]!, { type: 'int4_g32' }), /shape asks for 4480/],
    ['f8 without room for its scales', (h) => Object.assign(h.tensors[1]!, { type: 'f8' }), /shape asks for 6596/],
    ['whole numbers of two rows', (h) => Object.assign(h.tensors[1]!, { type: 'i32' }), /more than one row/],
    ['kv of i32', (h) => Object.assign(h.kv!, { type: 'i32' }), /kv is of a type/],
    ['a chat model that says it reranks', (h) => Object.assign(h, { role: 'reranker' }), /kv does not fit/],
    ['q8 of 33 columns', (h) => Object.assign(h.tensors[0]!, { type: 'q8', columns: 33 }), /32 does not divide/],
  ])('%s', (name, edit, says) => expectRefused(`header ${name}`, planBytes(llama, edit), says));

  test('a codebook of numbers that are no int8', async () => {
    const edit = (header: Header) => {
      header.tensors[1]!.codebook = Array(16).fill(200);
    };
    await expectRefused('codebook', planBytes(tinyLlama({ weights: 'q4' }), edit), /int8/);
  });
});

describe('a program that would go wrong', () => {
  const views = (change: (one: Step) => void, op: string) => (header: Header) => change(step(header, op));
  test.each<[string, (header: Header) => void, RegExp]>([
    ['no steps', (h) => h.program.steps.splice(0), /no steps/],
    ['a buffer of unknown rows', (h) => Object.assign(h.program.buffers[0]!, { rows: 'pages' }), /unknown rows/],
    ['a buffer without width', (h) => Object.assign(h.program.buffers[0]!, { width: 0 }), /"width"/],
    ['an unknown operation', views((s) => Object.assign(s, { op: 'exec' }), 'gated'), /unknown operation "exec"/],
    ['too few views', views((s) => Object.assign(s, { in: [] }), 'gated'), /views in/],
    [
      'a view of a buffer that is not there',
      views((s) => Object.assign(s, { out: [[9, 0, 1]] }), 'gated'),
      /not there/,
    ],
    ['a view outside its buffer', views((s) => Object.assign(s, { in: [[5, 1, 192]] }), 'gated'), /outside its buffer/],
    ['a view at a negative column', views((s) => Object.assign(s, { in: [[5, -1, 192]] }), 'gated'), /view/],
    ['a tensor that is not there', views((s) => Object.assign(s, { weights: [99, null] }), 'linear'), /not there/],
    ['no weight', views((s) => Object.assign(s, { weights: [null, null] }), 'linear'), /not there/],
    ['a linear of another shape', views((s) => Object.assign(s, { weights: [1, null] }), 'linear'), /is \[97, 64\]/],
    [
      'a matrix as a bias',
      views((s) => Object.assign(s, { weights: [s.weights![0]!, 0] }), 'linear'),
      /f32 \[1, 128\]/,
    ],
    ['an embedding of another width', views((s) => Object.assign(s, { out: [[0, 0, 32]] }), 'embed'), /columns/],
    ['a vocabulary larger than its table', (h) => Object.assign(h, { vocabularySize: 98 }), /98 rows/],
    ['an unknown activation', views((s) => Object.assign(s, { activation: 'swish' }), 'linear'), /swish/],
    ['a layer outside kv', views((s) => Object.assign(s, { layer: 2 }), 'rope_kv_write'), /"layer"/],
    [
      'a layer read before it is written',
      views((s) => Object.assign(s, { layer: 1 }), 'attention'),
      /before a step wrote/,
    ],
    ['other heads than kv', views((s) => Object.assign(s, { numKvHeads: 4 }), 'attention'), /other heads/],
    ['heads that do not divide', views((s) => Object.assign(s, { numHeads: 3 }), 'attention'), /do not divide/],
    [
      'a rotary size beyond the head',
      views((s) => Object.assign(s, { rotarySize: 18 }), 'rope_kv_write'),
      /rotarySize/,
    ],
    ['a rope with a factor of nothing', views((s) => Object.assign(s, { factor: 0 }), 'rope_kv_write'), /factor/],
    [
      'a rope with a factor past all reason',
      views((s) => Object.assign(s, { factor: 1e9 }), 'rope_kv_write'),
      /factor/,
    ],
    ['an odd rotary size', views((s) => Object.assign(s, { rotarySize: 15 }), 'rope_kv_write'), /odd/],
    ['an epsilon below zero', views((s) => Object.assign(s, { epsilon: -1 }), 'rms_norm'), /epsilon/],
    [
      'a step that writes over what it reads',
      views((s) => Object.assign(s, { out: [[5, 96, 96]] }), 'gated'),
      /writes over/,
    ],
    ['a read of what no step wrote', (h) => h.program.steps.splice(0, 1), /no step before it wrote/],
    [
      'outputs where tokens must be',
      views((s) => Object.assign(s, { out: [[1, 0, 64]] }), 'gather_outputs'),
      /kind of rows/,
    ],
    ['an output that is no logits', (h) => Object.assign(h.program, { output: 1 }), /output is not outputs/],
    ['an output that nothing writes', (h) => h.program.steps.pop(), /no step writes/],
    ['pooling in a chat model', views((s) => Object.assign(s, { op: 'pool_mean' }), 'gather_outputs'), /kind of rows/],
  ])('%s', (name, edit, says) => expectRefused(`program ${name}`, planBytes(llama, edit), says));

  test.each<[string, (header: Header) => void, RegExp]>([
    ['fewer positions than the context', (h) => Object.assign(h, { contextTokens: 49 }), /51 rows/],
    ['an embedding of another size', (h) => Object.assign(h, { embeddingSize: 16 }), /width 16/],
    [
      'an embedder with kv',
      (h) => Object.assign(h, { kv: { type: 'f16', numLayers: 1, numHeads: 1, headSize: 8 } }),
      /kv/,
    ],
    ['an embedder without a size', (h) => Object.assign(h, { embeddingSize: 0 }), /embeddingSize/],
  ])('of an embedder: %s', (name, edit, says) => expectRefused(`bert ${name}`, planBytes(bert, edit), says));

  const change = (op: string, change: object) => (header: Header) => Object.assign(step(header, op), change);
  const weightOf = (h: Header, name: string) => h.tensors.findIndex((tensor) => tensor.name === name);
  const indexOf = (...numbers: number[]) => {
    const spoiled = structuredClone(extras);
    const { bytes } = spoiled.tensors.get('index.1')!;
    numbers.forEach((number, i) => {
      new DataView(bytes.buffer).setInt32(4 * i, number, true);
    });
    return planBytes(spoiled);
  };
  test.each<[string, (header: Header) => void, RegExp]>([
    ['a cap of 0', change('soft_cap', { cap: 0 }), /cap that is not above zero/],
    ['a cap below zero', change('soft_cap', { cap: -30 }), /cap that is not above zero/],
    ['a cap too small for float32', change('soft_cap', { cap: 1e-60 }), /cap that is not above zero/],
    ['no cap', change('soft_cap', { cap: undefined }), /no number "cap"/],
    ['a limit of 0', change('clamp', { limit: 0 }), /limit that is not above zero/],
    ['an endless limit', change('clamp', { limit: 1e39 }), /no number "limit"/],
    ['a view to clamp that goes too far', change('clamp', { out: [[2, 0, 129]] }), /outside its buffer/],
    ['heads that do not fill their view', change('rms_norm_heads', { numHeads: 3 }), /width 64 where 48/],
    ['a norm of other heads', change('rms_norm_heads', { numHeads: 2, headSize: 32 }), /f32 \[1, 32\]/],
    ['an epsilon of heads below zero', change('rms_norm_heads', { epsilon: -1e-6 }), /epsilon/],
    ['a norm of heads without a weight', change('rms_norm_heads', { weights: [] }), /takes 1 weights/],
    ['a norm of heads that no step wrote', (h) => h.program.steps.splice(2, 2), /no step before it wrote/],
    ['an attention whose cap is below zero', change('attention', { softCap: -1 }), /softCap below zero/],
    ['an attention whose cap is a word', change('attention', { softCap: 'none' }), /no number "softCap"/],
    ['slopes for other heads', (h) => change('attention', { weights: [weightOf(h, 'norm.0')] })(h), /f32 \[1, 4\]/],
    ['two lists of slopes', change('attention', { weights: [0, 0] }), /takes 1 weights, not 2/],
    ['an index of floats', (h) => change('permute_columns', { weights: [weightOf(h, 'norm.0')] })(h), /i32 \[1, 96\]/],
    ['no index', change('permute_columns', { weights: [null] }), /not there/],
    ['an index of another width', change('permute_columns', { out: [[9, 0, 95]] }), /i32 \[1, 95\]/],
    ['columns from too narrow a view', change('permute_columns', { in: [[6, 0, 40]] }), /not there by index/],
    ['columns permuted in place', change('permute_columns', { out: [[6, 0, 96]] }), /writes over/],
    ['outputs from tokens', change('permute_columns', { in: [[7, 0, 64]] }), /kinds of rows/],
    ['a linear by an index', (h) => change('linear', { weights: [weightOf(h, 'index.0'), null] })(h), /whole numbers/],
    ['an embedding by an index', (h) => change('embed', { weights: [weightOf(h, 'index.0')] })(h), /columns|rows/],
  ])('of extras: %s', (name, edit, says) => expectRefused(`extras ${name}`, planBytes(extras, edit), says));

  test.each([
    ['an index beyond the last column', indexOf(0, 1, 96)],
    ['a negative index', indexOf(-1)],
    ['an index that wraps', indexOf(3, -2147483648)],
  ])('of extras: %s', (name, bytes) => expectRefused(`extras ${name}`, bytes, /not there by index\.1/));

  test.each<[string, (header: Header) => void, RegExp]>([
    ['an embedding size', (h) => Object.assign(h, { embeddingSize: 32 }), /embeddingSize/],
    ['an output of two numbers', (h) => Object.assign(h.program.buffers[8]!, { width: 2 }), /sequences of width 1/],
    ['an output of tokens', (h) => Object.assign(h.program, { output: 0 }), /sequences of width 1/],
    [
      'one row of segments',
      (h) => Object.assign(h.tensors[weightOf(h, 'types')]!, { rows: 1, sizeBytes: 128 }),
      /2 rows/,
    ],
    [
      'segments in whole numbers',
      (h) => Object.assign(h.tensors[weightOf(h, 'types')]!, { type: 'f8', sizeBytes: 72 }),
      /segments as f32 or f16/,
    ],
    ['segments of another width', change('add_segments', { out: [[0, 0, 31]] }), /31 columns/],
    ['segments of sequences', change('add_segments', { out: [[6, 0, 32]] }), /kind of rows/],
  ])('of a reranker: %s', (name, edit, says) => expectRefused(`reranker ${name}`, planBytes(reranker, edit), says));

  test('too large for any memory is out-of-memory, not a crash', async () => {
    const huge = tinyLlama();
    for (let i = 0; i < 4000; i++) huge.header.program.buffers.push({ rows: 'tokens', width: 1 << 20 });
    const plan = folder.write('huge.plan', planBytes(huge));
    const { code } = await native.loadEngine({ plan, device: 'cpu', stepTokens: 8192 }).then(
      () => ({ code: 'loaded' }),
      (error) => error,
    );
    expect(code).toBe('out-of-memory');
  });
});

describe('a plan with a number changed at random', () => {
  // Each either is refused with a code, or is a plan after all, and then it runs.
  test.each([
    ['llama', llama],
    ['bert', bert],
    ['extras', extras],
    ['reranker', reranker],
  ])('%s: never ends the process', async (name, model) => {
    const random = randomNumbers(name.length);
    const pick = (count: number) => Math.floor(((random() + 1) / 2) * count);
    const whole = planBytes(model);
    const json = text(whole);
    const places = [...json.matchAll(/(?<=[:,[])-?\d+(\.\d+)?(e[-+]?\d+)?(?=[,\]}])/g)];
    const values = [
      '0',
      '1',
      '2',
      '3',
      '16',
      '31',
      '64',
      '4096',
      '8192',
      '-1',
      '0.5',
      '1e30',
      '2147483648',
      '4294967297',
    ];
    const codes = new Map<string, number>();
    for (let i = 0; i < 400; i++) {
      const place = places[pick(places.length)]!;
      const end = place.index + place[0].length;
      const header = json.slice(0, place.index) + values[pick(values.length)] + json.slice(end);
      const bytes = whole.slice();
      setHeader(bytes, new TextEncoder().encode(header.replace(/,"template":null/, '').padEnd(json.length)));
      const plan = folder.write(`random ${name}.plan`, bytes);
      const code = await codeOf(runBriefly(plan));
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect(
      [...codes.keys()].filter((code) => !['answered', 'invalid-plan', 'out-of-memory', 'internal'].includes(code)),
    ).toEqual([]);
    expect(codes.get('invalid-plan')).toBeGreaterThan(100);
    expect(codes.get('answered')).toBeGreaterThan(10);
  });
});

async function runBriefly(plan: string): Promise<void> {
  const engine = await native.loadEngine({ plan, device: 'cpu', numThreads: 1, kvTokens: 128, stepTokens: 64 });
  const ids = Int32Array.of(0, 0, 0).subarray(0, engine.info.contextTokens);
  try {
    if (engine.info.role === 'chat') await engine.score(ids);
    else if (engine.info.role === 'reranker') await engine.rerank([ids], Int32Array.of(1));
    else await engine.embed([ids]);
  } finally {
    await engine.close();
  }
}
