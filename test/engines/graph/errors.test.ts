import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noFacts } from '../../../engines/architectures/architecture.ts';
import { readModel } from '../../../engines/architectures/index.ts';
import { lineOf } from '../../../engines/graph/blame.ts';
import { createGraphBuilder, type TensorShape } from '../../../engines/graph/graph.ts';
import { nearestName } from '../../../engines/graph/near-names.ts';
import { compile } from '../../../engines/graph/passes/passes.ts';
import { readReference } from '../reference/reference.ts';

const folder = join(import.meta.dirname, '../../../engines/architectures');
const source = readFileSync(join(folder, 'opt.ts'), 'utf8').split('\n');
const lineWith = (text: string): number => source.findIndex((line) => line.includes(text)) + 1;

/** OPT over the tensors of its reference case, some of them changed. */
function buildOpt(change: (tensors: Map<string, TensorShape>) => void) {
  const { configs, tensors } = readReference('opt');
  const shapes = new Map(
    tensors.map(({ name, shape }): [string, TensorShape] => {
      const [rows, columns] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!];
      return [name, { rows, columns, type: 'f32' }];
    }),
  );
  change(shapes);
  return readModel(configs[0], 'config.json', noFacts).build(shapes);
}

const fc1 = 'model.decoder.layers.1.fc1.weight';

describe('A mistake in an architecture', () => {
  test('is told with its line, the tensor, and the name that was meant', () => {
    const build = () =>
      buildOpt((tensors) => {
        tensors.set(fc1.replace('fc1', 'fc_1'), tensors.get(fc1)!);
        tensors.delete(fc1);
      });
    expect(build).toThrow(
      `opt.ts:${lineWith('const linear =') + 1} (from ${lineWith('.fc1`')}): opt: the checkpoint has no tensor ${fc1}. Did you mean model.decoder.layers.1.fc_1.weight?`,
    );
  });

  test('is not answered with a name that another weight has taken', () => {
    const bias = 'model.decoder.layers.0.self_attn.k_proj.bias';
    expect(() => buildOpt((tensors) => tensors.delete(bias))).toThrow(
      /no tensor .*k_proj\.bias\.( Did you mean .*\.v_proj\.bias\?)?$/,
    );
  });

  test('of shapes is told with both shapes, and what may be wrong', () => {
    const build = () => buildOpt((tensors) => tensors.set(fc1, { rows: 64, columns: 96, type: 'f32' }));
    expect(build).toThrow(
      /^opt\.ts:\d+ \(from \d+\): opt: the tensor .*fc1\.weight is 64 × 96, but 96 × 64 is needed\./,
    );
    expect(build).toThrow(/the other way round: say `transposed`/);
    const other = () => buildOpt((tensors) => tensors.set(fc1, { rows: 64, columns: 97, type: 'f32' }));
    expect(other).toThrow(/but 96 × 64 is needed\.$/);
  });

  test('of widths, and of values read after their change, is told with its line', () => {
    const here = /^errors\.test\.ts:\d+: test: /;
    const g = createGraphBuilder('test', new Map([['table', { rows: 8, columns: 64, type: 'f32' }]]));
    const x = g.embed(g.weight('table', 8, 64, 'table'));
    expect(() => g.add(x, g.columns(x, 0, 32))).toThrow(here);
    expect(() => g.finish(g.columns(x, 0, 32))).toThrow(/the output is 32 columns of a wider value/);
    const changed = g.clamp(x, 1);
    expect(() => compile(g.finish(g.add(x, changed)))).toThrow(/^errors\.test\.ts:\d+: test: clamp changes a value/);
  });
});

describe('The line', () => {
  const graphFolder = 'file:///home/us/engines/graph/';

  test('is the first frame outside of the language, on every system and from every tool', () => {
    const frames = [
      'Error\n    at push (file:///home/us/engines/graph/builder.ts:9:3)\n    at buildOpt (file:///home/us/engines/architectures/opt.ts:31:9)',
      'Error\n    at Object.linear (/home/us/engines/graph/builder.ts:9:3)\n    at /home/us/engines/architectures/opt.ts:31:9',
      'Error\n    at Array.map (<anonymous>)\n    at buildOpt (file:///home/us/engines/architectures/opt.ts?v=1:31:9)',
    ];
    for (const stack of frames) expect(lineOf(stack, graphFolder), stack).toBe('opt.ts:31');
    const windows =
      'Error\n    at push (C:\\Users\\山田 太郎\\engines\\graph\\builder.ts:9:3)\n    at buildOpt (C:\\Users\\山田 太郎\\engines\\architectures\\opt.ts:31:9)';
    expect(lineOf(windows, 'file:///C:/Users/%E5%B1%B1%E7%94%B0%20%E5%A4%AA%E9%83%8E/engines/graph/')).toBe(
      'opt.ts:31',
    );
  });

  test('is followed by the line that called a helper, but not by what every architecture comes in by', () => {
    const at = (name: string, file: string, line: number) =>
      `    at ${name} (/us/engines/architectures/${file}:${line}:9)`;
    const stack = (...frames: string[]) =>
      ['Error', ...frames, '    at compile (/us/engines/build/build.ts:1:1)'].join('\n');
    expect(lineOf(stack(at('linear', 'opt.ts', 22), at('buildOpt', 'opt.ts', 36)), graphFolder)).toBe(
      'opt.ts:22 (from 36)',
    );
    expect(lineOf(stack(at('buildOpt', 'opt.ts', 31), at('Object.build', 'opt.ts', 70)), graphFolder)).toBe(
      'opt.ts:31',
    );
    expect(lineOf(stack(at('block', 'decoder.ts', 4), at('buildFalcon', 'falcon.ts', 9)), graphFolder)).toBe(
      'decoder.ts:4 (from falcon.ts:9)',
    );
  });

  test('is left out in a bundle', () => {
    expect(
      lineOf('Error\n    at x (file:///app/out/main/cli.js:1:2)\n    at y (node:internal/main:3:4)', graphFolder),
    ).toBeNull();
  });
});

describe('A name that may have been meant', () => {
  const names = ['model.layers.0.mlp.up_proj.weight', 'model.layers.1.mlp.up_proj.weight', 'lm_head.weight'];

  test('differs by few letters, or by a prefix', () => {
    expect(nearestName('model.layers.1.mlp.upproj.weight', names)).toBe('model.layers.1.mlp.up_proj.weight');
    expect(nearestName('layers.0.mlp.up_proj.weight', names)).toBe('model.layers.0.mlp.up_proj.weight');
    expect(nearestName('lm_head.wieght', names)).toBe('lm_head.weight');
  });

  test('is never of another layer, nor far away', () => {
    expect(nearestName('model.layers.7.mlp.up_proj.weight', names)).toBeNull();
    expect(nearestName('transformer.wte.weight', names)).toBeNull();
    expect(nearestName('x', [])).toBeNull();
  });
});

test('The example of the page is the architecture that is compiled and tested', () => {
  const page = readFileSync(join(folder, 'README.md'), 'utf8');
  const [, example] = /```ts\n([\s\S]+?)```/.exec(page)!;
  expect(example!.split('\n').length).toBeGreaterThan(15);
  expect(source.join('\n')).toContain(example);
  expect(page.split('\n').length).toBeLessThanOrEqual(41);
  const [, line, from] = /`opt\.ts:(\d+) \(from (\d+)\): opt: the checkpoint has no tensor/.exec(page)!;
  expect([Number(line), Number(from)]).toEqual([lineWith('const linear =') + 1, lineWith('.fc1`')]);
});
