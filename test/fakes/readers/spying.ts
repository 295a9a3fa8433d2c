// A parser that tries what a reader must not do, and reports what came of it.
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { forbidNetwork } from '../../../ingest/readers/serve-reader.ts';

process.on('message', (request: { path: string }) => {
  forbidNetwork();
  const tries: Record<string, () => unknown> = {
    own: () => readFileSync(request.path),
    other: () => readFileSync(`${request.path}.secret`),
    write: () => writeFileSync(request.path, 'x'),
    fetch: () => fetch('http://127.0.0.1:9'),
    socket: () => connect(9, '127.0.0.1'),
  };
  const outcomes = Object.entries(tries).map(([name, attempt]) => {
    try {
      attempt();
      return `${name} done`;
    } catch {
      return `${name} refused`;
    }
  });
  const result = { type: 'failed', kind: 'text', reason: 'damaged', detail: outcomes.join(', ') };
  process.send?.({ type: 'result', result });
});
