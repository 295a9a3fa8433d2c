/** Where the addon lies: `QUOTH_ADDON`, or beside the bundle, or, in the sources, what they build to. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { NativeError } from '../../native/index.ts';

/** The path of `quoth.node`. In the sources this builds it if their state has not been built yet: minutes, once. */
export async function findAddon(): Promise<string> {
  const { QUOTH_ADDON: named } = process.env;
  if (named) return path.resolve(named);
  const here = fileURLToPath(import.meta.url);
  if (here.endsWith('.ts')) {
    const builder = path.join(path.dirname(here), '..', 'setup', 'addon.mjs');
    const { buildAddon } = (await import(`file://${builder.replaceAll('\\', '/')}`)) as {
      buildAddon: (options: { log: (line: string) => void }) => Promise<string>;
    };
    return buildAddon({ log: () => undefined });
  }
  // Beside the bundle (`out/main/…` → `out/native/`), or beside the archive of a packed app.
  const places = [path.join(path.dirname(here), '..', 'native', 'quoth.node')];
  const { resourcesPath } = process as { resourcesPath?: string };
  if (resourcesPath) places.push(path.join(resourcesPath, 'native', 'quoth.node'));
  for (const place of places) {
    const isThere = await access(place).then(
      () => true,
      () => false,
    );
    if (isThere) return place;
  }
  throw new NativeError('io', 'The engine is not built yet; please run "npm run build".');
}
