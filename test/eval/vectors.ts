/**
 * The installed embedder's vectors of texts, kept in a file of the temporary folder: a measure that is run twice embeds
 * nothing twice.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createKit } from '../../app/models/kit.ts';
import { defaultEmbedder } from '../../engines/catalogue.ts';
import type { Embedder } from '../../ingest/embedder.ts';
import { openNative } from '../native/native.ts';

export type Vectors = {
  embedderId: string;
  dimension: number;
  /** Unit vectors, one for each text. */
  of(texts: readonly string[], as: 'passage' | 'query'): Promise<Float32Array[]>;
  close(): Promise<void>;
};

const batchTexts = 64;

/** Opens the default embedder of the folder that QUOTH_MODELS names, when the first text needs it. */
export async function openVectors(): Promise<Vectors> {
  const modelsFolder = process.env.QUOTH_MODELS;
  if (!modelsFolder) throw new Error('QUOTH_MODELS must name the folder of the installed models');
  const native = await openNative();
  const kit = createKit({ native });
  const offer = kit.offers.find(({ id }) => id === defaultEmbedder);
  if (!offer) throw new Error('the default embedder is not offered');
  const manifest = JSON.parse(fs.readFileSync(path.join(modelsFolder, offer.id, 'manifest.json'), 'utf8')) as {
    planSha256?: string;
  };
  const plan = path.join(modelsFolder, offer.id, 'plan.quoth');
  const sha = manifest.planSha256 ?? createHash('sha256').update(fs.readFileSync(plan)).digest('hex');
  let opened: Promise<Embedder> | undefined;
  const dimension = 384;
  const folder = path.join(os.tmpdir(), 'quoth-eval-vectors', sha.slice(0, 16));
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'vectors.bin');

  const rowBytes = 20 + 4 * dimension;
  const known = new Map<string, Float32Array>();
  if (fs.existsSync(file)) {
    const bytes = fs.readFileSync(file);
    for (let at = 0; at + rowBytes <= bytes.length; at += rowBytes) {
      const copy = new Uint8Array(bytes.subarray(at + 20, at + rowBytes));
      known.set(bytes.toString('hex', at, at + 20), new Float32Array(copy.buffer));
    }
  }
  const keyOf = (text: string, as: string): string =>
    createHash('sha1').update(as).update('\0').update(text).digest('hex');

  return {
    embedderId: `${offer.id}@${sha.slice(0, 16)}`,
    dimension,
    async of(texts, as) {
      const missing = [...new Set(texts)].filter((text) => !known.has(keyOf(text, as)));
      // Texts of like length make full batches.
      missing.sort((a, b) => a.length - b.length);
      for (let first = 0; first < missing.length; first += batchTexts) {
        opened ??= kit.openEmbedder(plan, offer, sha);
        const embedder = await opened;
        const batch = missing.slice(first, first + batchTexts);
        const block = await embedder.embed(batch, undefined, as);
        const rows = batch.map((text, i) => {
          const vector = block.slice(i * dimension, (i + 1) * dimension);
          const key = keyOf(text, as);
          known.set(key, vector);
          return Buffer.concat([Buffer.from(key, 'hex'), new Uint8Array(vector.buffer)]);
        });
        fs.appendFileSync(file, Buffer.concat(rows));
        if (first % 640 === 0) console.error(`${first} of ${missing.length} texts have a vector`);
      }
      return texts.map((text) => known.get(keyOf(text, as))!);
    },
    close: async () => {
      if (opened) await kit.closeEmbedder(await opened);
    },
  };
}
