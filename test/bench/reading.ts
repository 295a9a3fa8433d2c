/**
 * Measures how fast PDFs are taken in without an embedder: through the library's queue, a process for each file, into SQLite.
 *
 *     node test/bench/reading.ts [rounds]
 *
 * Readers run from the bundle, as they do for a person; it is built first if it is not up to date.
 *
 * Three sets: long filings, the PDFs that `test/eval/fidelity.ts` measures (most have one page, so that the start of a process is
 * what they cost), and both. Processor time is that of this process and of its readers, on Linux; it says more than the clock
 * where other work runs beside it. What it takes: half a minute on two quiet cores.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createNodeSpawner } from '../../ingest/readers/node-spawner.ts';
import { createReadFile } from '../../ingest/run-reader.ts';
import { build } from '../../main/setup/build.mjs';
import { createScene, documentsOf } from '../app/outside.ts';
import { dataFolder, filesBelow, hasData } from '../ingest/data.ts';

const readerMain = join(import.meta.dirname, '../../out/main/reader-main.js');
const fewestWords = 20;

/** PDFs with a text of their own. Scans are another measure: each of their pages takes seconds to recognize. */
function pdfsWithText(): string[] {
  return filesBelow(join(dataFolder, 'documents/pdf')).filter((path) => {
    if (!path.endsWith('.pdf')) return false;
    try {
      const text = execFileSync('pdftotext', ['-enc', 'UTF-8', path, '-'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 20_000,
        maxBuffer: 100e6,
      });
      return (text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0) >= fewestWords;
    } catch {
      return false;
    }
  });
}

/** Of this process and of its children that have ended, in seconds; without the children where there is no /proc. */
function processorSeconds(): number {
  try {
    const facts = readFileSync('/proc/self/stat', 'latin1');
    const [, , , , , , , , , , , , user, system, ofChildren, systemOfChildren] = facts
      .slice(facts.lastIndexOf(')') - 1)
      .split(' ')
      .map(Number);
    return ((user ?? 0) + (system ?? 0) + (ofChildren ?? 0) + (systemOfChildren ?? 0)) / 100;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }
}

async function measure(name: string, paths: string[]): Promise<void> {
  const readFile = createReadFile(createNodeSpawner({ readerMain }));
  const scene = await createScene({ readFile });
  try {
    const { client, disconnect } = await scene.open();
    const fromMs = performance.now();
    const before = processorSeconds();
    const events = [];
    for await (const event of client.addFiles({ tickets: paths.map((path) => scene.ticket(path)), watch: false }))
      events.push(event);
    const documents = documentsOf(events).filter(({ state }) => state === 'ready');
    const seconds = (performance.now() - fromMs) / 1000;
    const processor = processorSeconds() - before;
    const numPages = documents.reduce((sum, { numPages }) => sum + (numPages ?? 0), 0);
    console.log(
      `${name}: ${numPages} pages of ${documents.length}/${paths.length} files in ${seconds.toFixed(2)} s = ` +
        `${(numPages / seconds).toFixed(1)} pages/s; processor time ${processor.toFixed(2)} s = ` +
        `${(numPages / processor).toFixed(1)} pages/s of one core, ${((2 * numPages) / processor).toFixed(1)} of two`,
    );
    disconnect();
  } finally {
    await scene.remove();
  }
}

if (!hasData) {
  console.log('../shared/data is not here: nothing was measured.');
} else {
  await build({ only: ['main'] });
  const filings = filesBelow(join(dataFolder, 'qa')).filter((path) => path.endsWith('.pdf'));
  const others = pdfsWithText();
  console.log(`Node ${process.versions.node}, ${availableParallelism()} cores`);
  for (let round = 0; round < (Number(process.argv[2]) || 2); round++) {
    await measure('filings', filings);
    await measure('short PDFs', others);
    await measure('all', [...filings, ...others]);
  }
}
