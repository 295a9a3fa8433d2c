/** Our encoder beside onnxruntime: texts of one length, and passages as a document has them. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { openPlan } from '../../../main/cli/plan-model.ts';
import { inTurns, quoth, type Setting, scriptOf, wikiText } from './rows.ts';
import { startSide } from './side.ts';

type Texts = { what: string; texts: number[][]; batch: number };

/** Paragraphs of 10 to 510 ids, as they follow each other. */
function passages(encode: (text: string) => Int32Array, count: number): number[][] {
  const lines = wikiText().split('\n');
  const found: number[][] = [];
  for (const line of lines) {
    const ids = [...encode(line.trim())];
    if (ids.length >= 10 && ids.length <= 510) found.push(ids);
    if (found.length === count) break;
  }
  return found;
}

export async function embedRows(setting: Setting): Promise<void> {
  const { onnx, checkpoint } = setting.encoder;
  const name = 'MiniLM';
  if (!name.includes(setting.only) || !existsSync(onnx)) return;
  const plan = path.join(setting.plans, 'encoder.plan');
  if (!existsSync(plan)) quoth('build', checkpoint, '--out', plan);
  const { tokenizer } = await openPlan({ model: plan });
  const real = passages((text) => tokenizer.encode(text), 48);
  const long = real.flatMap((ids) => ids.slice(1, -1));
  const ofLength = (length: number, count: number): number[][] =>
    Array.from({ length: count }, (_, i) => [
      real[0]![0]!,
      ...long.slice(i * (length - 2), (i + 1) * (length - 2)),
      real[0]!.at(-1)!,
    ]);
  const kinds: Texts[] = [
    { what: '16 texts of 128', texts: ofLength(128, 16), batch: 16 },
    { what: '8 texts of 256', texts: ofLength(256, 8), batch: 8 },
    { what: '48 passages of 10 to 510; theirs padded, 16 as they come', texts: real, batch: 16 },
    { what: 'the same; theirs 16 of like length', texts: real.toSorted((a, b) => a.length - b.length), batch: 16 },
    { what: 'the same; theirs one at a time', texts: real, batch: 1 },
  ];
  for (const threads of setting.threads) {
    const ours = await startSide(scriptOf('quoth'), { model: plan, numThreads: threads, peers: setting.peers });
    const peer = await startSide(scriptOf('onnx'), { model: onnx, numThreads: threads, peers: setting.peers });
    let least = 1;
    for (const { what, texts, batch } of kinds) {
      const pair = { what: `${name}: ${what}`, threads, ours, peer, units: texts.length, unit: 'texts/s' };
      const [our, their] = await inTurns(setting, pair, () => ({ type: 'embed', texts, batch }));
      const size = our.values.length / texts.length;
      for (let t = 0; t < texts.length; t++) {
        let cosine = 0;
        for (let k = t * size; k < (t + 1) * size; k++) cosine += our.values[k]! * their.values[k]!;
        least = Math.min(least, cosine);
      }
    }
    setting.say(`| ${name}: least cosine of our vector and theirs | ${threads} | | | ${least.toFixed(5)} | |`);
    ours.end();
    peer.end();
  }
}
