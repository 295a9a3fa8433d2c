import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// Four kinds of tests, named by what they need: `x.test.ts` anywhere, `x.model.test.ts` a model, `x.electron.test.ts`
// Electron, `x.browser.test.ts` Chromium, `x.gpu.test.ts` a GPU. `test/run.mjs` chooses which kinds can run and counts the
// rest as skipped. Files run two at a time: a machine may have two cores.
export default defineConfig({
  root: new URL('..', import.meta.url).pathname.replace(/^\/([A-Za-z]:)/, '$1'),
  plugins: [react()],
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    environment: 'node',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
