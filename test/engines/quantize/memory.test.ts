import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { addonFile } from '../../native/open-addon.ts';
import { withFolder } from '../checkpoints.ts';
import { writeSmallLlama } from './small-llama.ts';

const shape = { hiddenSize: 512, feedForwardSize: 1408, numHeads: 8, numKvHeads: 8, numLayers: 60, repeated: true };
/** Of one layer, and of all, as float32: what a piece is while it is worked on. */
const layerBytes = 4 * (4 * 512 * 512 + 3 * 512 * 1408);
const modelBytes = shape.numLayers * layerBytes;
/** Node, the addon, 128 MiB in flight to the disk and what the collector has not yet seen. */
const restBytes = 600e6;

// With a text each piece is made float32, run, measured, packed, run again and forgotten; without one it is packed as read.
test.runIf(process.platform === 'linux').each(['text', 'no text'])(
  'Three layers and some hundred megabytes are enough for a model of 60 layers: %s',
  (kind) =>
    withFolder(async (folder) => {
      await writeSmallLlama(folder, shape, 'F16');
      const script = join(import.meta.dirname, 'quantize-in-child.ts');
      const env = { ...process.env, QUOTH_ADDON: addonFile };
      const { stdout } = await promisify(execFile)(process.execPath, [script, folder, kind], { env });
      const bound = 3 * layerBytes + restBytes;
      expect(bound).toBeLessThan(modelBytes);
      if (process.env.QUOTH_SHOW !== undefined) console.log(kind, Number(stdout) / 1e6, 'of', bound / 1e6);
      expect(Number(stdout)).toBeLessThan(bound);
    }),
);
