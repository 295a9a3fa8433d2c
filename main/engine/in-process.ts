/**
 * The addon in this process, for commands that only build, quantize or measure: weights are gigabytes, a fault costs the
 * command alone, and nothing stands between what is measured and the clock. None of this needs a package: a checkout, the
 * addon and Node are enough.
 */
import type { Builder, Native, Quantizer } from '../../native/index.ts';
import { loadNative, loadQuantizer } from '../../native/load.ts';
import { findAddon } from './addon-path.ts';

export async function composeNative(): Promise<Native> {
  return loadNative(await findAddon());
}

/** The builder's arithmetic. */
export async function composeBuilder(): Promise<Builder> {
  return (await composeNative()).builder;
}

export async function composeQuantizer(): Promise<Quantizer> {
  return loadQuantizer(await findAddon());
}
