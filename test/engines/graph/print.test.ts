import { describe, expect, test } from 'vitest';
import { explainRandom } from '../../../engines/build/random-plan.ts';
import { findModel } from '../../../engines/catalogue.ts';
import { foldRepeats } from '../../../engines/graph/fold.ts';
import { printReport } from '../../../engines/graph/report.ts';

describe('Repeated layers', () => {
  test('are found: the piece, where it begins, how often it is said', () => {
    expect(foldRepeats([...'xabcdabcdabcdy'])).toEqual({ start: 1, length: 4, times: 3 });
    expect(foldRepeats([...'abcdefg'])).toMatchObject({ times: 1 });
    expect(foldRepeats([...'aaaa'])).toMatchObject({ times: 1 });
    expect(foldRepeats([])).toMatchObject({ times: 1 });
  });
});

describe('The printed program of Mistral 7B', () => {
  const report = explainRandom({ config: findModel('mistral-7b-instruct-v0.2')!.shape, name: 'm', precision: 'int4' });
  const text = printReport(report);
  const lines = text.split('\n');

  test('shows each pass with what it took out and put in, a layer once, with the lines that wrote it', () => {
    const titles = lines.filter((line) => line.startsWith('── ')).map((line) => /── ([\w -]+)/.exec(line)![1]!.trim());
    expect(titles).toEqual([
      'as written',
      'fuse-bias-activation',
      'fuse-linears',
      'fuse-rope-kv',
      'fuse-gated',
      'fuse-add-norm',
      'drop-unused',
      'choose-precision',
      'lay-out-buffers',
      'bind-weights',
      'pack',
    ]);
    expect(lines).toContain('⋮ these 17 operations 32 times in all');
    expect(text).toMatch(/^- %2 = linear\(%1, model\.layers\.0\.self_attn\.q_proj\.weight\[4096×4096\], -\)$/m);
    expect(text).toMatch(
      /^\+ %\d+ = linear\(%1, model\.layers\.0\.self_attn\.\{q_proj,k_proj,v_proj\}\.weight\[6144×4096\], -\)$/m,
    );
    expect(text).toMatch(/# llama\.ts:\d+$/m);
    expect(text).toMatch(/\d+ {2}b\d+\S* = rope_kv_write\(/);
    expect(lines.length).toBeLessThan(150);
  });

  test('says what it costs: operations, bytes a token, bits a weight', () => {
    const of = (pass: string) => report.stages.find((stage) => stage.pass === pass)!;
    expect(of('as written').numOperations).toBe(32 * 17 + 4);
    expect(of('drop-unused').numOperations).toBe(32 * 9 + 4);
    expect(of('drop-unused').peakBytesPerToken).toBeLessThan(report.peakBytesWithoutReuse / 20);
    expect(report.types[0]).toMatchObject({ type: 'int4_g128', numTensors: 128, numWeights: 6_979_321_856 });
    expect(text).toMatch(/int4_g128 +128 +6 979 321 856 +3 707 764 736 +4\.25/);
    expect(report.unread).toEqual([]);
  });
});
