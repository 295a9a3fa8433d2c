/** How fast documents become searchable: the whole way, from files on the disk to the last vector. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { AddEvent } from '../../../app/contract/contract.ts';
import { ticket } from '../../../app/contract/types.ts';
import { compose } from '../../compose.ts';
import type { Measured } from './runs.ts';

const numDocuments = 10;
const numParagraphs = 100;
const words = 'the of and a report year figure result shows that table growth in market cost value plan risk'.split(
  ' ',
);

/** A paragraph of some eighty words, each one different. */
function paragraph(document: number, place: number): string {
  const picked = Array.from(
    { length: 80 },
    (_, index) => words[(document * 31 + place * 17 + index * index) % words.length],
  );
  return `Section ${document}.${place}: ${picked.join(' ')}.`;
}

export async function ingest(signal: AbortSignal): Promise<Measured> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'quoth-bench-'));
  try {
    const files = path.join(folder, 'files');
    await mkdir(files);
    for (let document = 0; document < numDocuments; document += 1) {
      const text = Array.from({ length: numParagraphs }, (_, place) => paragraph(document, place)).join('\n\n');
      await writeFile(path.join(files, `document-${document}.txt`), text);
    }
    const core = await compose({ profileFolder: path.join(folder, 'profile') });
    try {
      const startMs = performance.now();
      let numPassages = 0;
      const tickets = [ticket.parse(core.tickets.issue(files))];
      for await (const event of core.handlers.addFiles({ tickets }, signal) as AsyncIterable<AddEvent>)
        if (event.type === 'document') numPassages += event.document.numPassages;
      await core.app.idle();
      return {
        shape: { documents: numDocuments, passages: numPassages },
        median: (1000 * numPassages) / (performance.now() - startMs),
        unit: 'passages/s',
        limit: null,
        limitFrom: 'none is known; "bench embed" has the limit of its greatest part',
      };
    } finally {
      await core.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
