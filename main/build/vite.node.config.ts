/**
 * Bundles everything that runs in Node or Electron into `out/main`, one file per process. Packages stay outside: some are
 * native, and Node finds them in node_modules as in the sources.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { defineConfig, type Plugin } from 'vite';

const root = path.resolve(import.meta.dirname, '..', '..');
const entries = {
  electron: 'main/electron/main.ts',
  'core-process': 'main/electron/core-process.ts',
  'electron-child': 'main/electron/electron-child.ts',
  'engine-process': 'main/engine/engine-process.ts',
  'reader-main': 'ingest/readers/reader-main.ts',
  cli: 'main/cli/cli.ts',
};

/** A package, a part of Node, or Electron: everything that is named, not pointed at. */
const isOutside = (id: string): boolean =>
  id === 'electron' || id.startsWith('node:') || builtinModules.includes(id) || /^[@a-z]/i.test(id);

/** Puts the sample documents beside the bundle, where `samplesFolder` looks for them. */
function sampleFiles(): Plugin {
  const source = path.join(root, 'app', 'welcome', 'samples');
  return {
    name: 'quoth-samples',
    apply: 'build',
    generateBundle() {
      for (const name of readdirSync(source))
        this.emitFile({ type: 'asset', fileName: `samples/${name}`, source: readFileSync(path.join(source, name)) });
    },
  };
}

export default defineConfig({
  root,
  plugins: [sampleFiles()],
  build: {
    ssr: true,
    target: 'node24',
    outDir: 'out/main',
    emptyOutDir: true,
    minify: false,
    sourcemap: true,
    rolldownOptions: {
      input: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, path.join(root, file)])),
      external: (id: string) => !path.isAbsolute(id) && isOutside(id),
      output: {
        format: 'es',
        entryFileNames: '[name].js',
        // Beside the entries, not in a folder of their own: `entryPath` and others look beside the file they are in.
        chunkFileNames: 'shared-[name]-[hash].js',
      },
    },
  },
});
