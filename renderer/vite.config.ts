import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Puts what pdfjs reads while it draws (character maps, standard fonts, decoders) beside the page, under `pdf/`. */
function pdfFiles(): Plugin {
  const source = join(here, '..', 'node_modules', 'pdfjs-dist');
  return {
    name: 'quoth-pdf-files',
    apply: 'build',
    generateBundle() {
      for (const folder of ['cmaps', 'standard_fonts', 'wasm'])
        for (const name of readdirSync(join(source, folder)))
          if (!name.startsWith('quickjs'))
            this.emitFile({
              type: 'asset',
              fileName: `pdf/${folder}/${name}`,
              source: readFileSync(join(source, folder, name)),
            });
    },
  };
}

/** Of KaTeX's fonts the form that every browser of ours reads; the older two would only make the app larger. */
function onlyWoff2(): Plugin {
  return {
    name: 'quoth-only-woff2',
    enforce: 'pre',
    transform: (code, id) =>
      /katex[^/]*\.css(?:$|\?)/.test(id)
        ? code.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\("(?:woff|truetype)"\)/g, '')
        : null,
  };
}

// Relative addresses, because the same files are served by the loopback server and by Electron's own scheme; nothing
// inline, because the policy of both allows scripts and styles from files only.
export default defineConfig({
  root: here,
  base: './',
  plugins: [react(), tailwindcss(), onlyWoff2(), pdfFiles()],
  build: {
    outDir: join(here, '..', 'out', 'renderer'),
    emptyOutDir: true,
    target: ['chrome125', 'firefox128', 'safari17.5'],
    cssTarget: ['chrome125', 'firefox128', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
