import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type Native, NativeError, type NativeErrorCode, type VectorIndex } from '../../native/index.ts';

/** The addon's own functions for the vector index, see native/addon/bindings.h. */
type Addon = {
  openVectorIndex(options: object): Promise<object>;
  vectorIndexSize(handle: object): number;
  vectorIndexAdd(handle: object, ids: Float64Array, vectors: Float32Array): Promise<void>;
  vectorIndexRemove(handle: object, ids: Float64Array): Promise<void>;
  vectorIndexSearch(handle: object, query: Float32Array, limit: number): ReturnType<VectorIndex['search']>;
  vectorIndexSerialize(handle: object): Promise<Uint8Array>;
  vectorIndexClose(handle: object): Promise<void>;
};

const root = path.resolve(import.meta.dirname, '../..');
export const addonFile = process.env.QUOTH_ADDON ?? path.join(root, 'out', 'native', 'quoth.node');
export const hasAddon = fs.existsSync(addonFile);

/** The real vector index of the built addon. */
export function openAddon(): Pick<Native, 'openVectorIndex'> {
  const addon = createRequire(import.meta.url)(addonFile) as Addon;
  const told = <Result>(promise: Promise<Result>): Promise<Result> =>
    promise.catch((error: Error & { code?: NativeErrorCode }) => {
      throw new NativeError(error.code ?? 'internal', error.message);
    });
  return {
    async openVectorIndex(options) {
      const handle = await told(addon.openVectorIndex(options));
      return {
        get size() {
          return addon.vectorIndexSize(handle);
        },
        add: (ids, vectors) => told(addon.vectorIndexAdd(handle, ids, vectors)),
        remove: (ids) => told(addon.vectorIndexRemove(handle, ids)),
        search: (query, limit) => told(addon.vectorIndexSearch(handle, query, limit)),
        serialize: () => told(addon.vectorIndexSerialize(handle)),
        close: () => told(addon.vectorIndexClose(handle)),
      };
    },
  };
}
