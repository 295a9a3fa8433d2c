import { buildAddon } from '../../main/setup/addon.mjs';
import type { Native } from '../../native/index.ts';
import { loadNative } from '../../native/load.ts';

/** The addon, built from the sources as they are (or the one that QUOTH_ADDON names). */
export const addonFile: string = process.env.QUOTH_ADDON ?? (await buildAddon());

const native = loadNative(addonFile);

/** The real vector index. */
export function openAddon(): Pick<Native, 'openVectorIndex'> {
  return native;
}

/** False in a build without libfaiss. */
export const hasFaiss: boolean = await native.openVectorIndex({ dimension: 1, kind: 'faiss' }).then(
  async (index) => {
    await index.close();
    return true;
  },
  () => false,
);
