// A parser that tries what a reader must not do, and reports what came of it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { forbidNetwork } from '../../../ingest/readers/serve-reader.ts';

type Request = { path: string; scanFolders?: string[]; speech?: { folder: string } };

process.on('message', (request: Request) => {
  forbidNetwork();
  const tries: Record<string, () => unknown> = {
    own: () => readFileSync(request.path),
    other: () => readFileSync(`${request.path}.secret`),
    write: () => writeFileSync(request.path, 'x'),
    fetch: () => fetch('http://127.0.0.1:9'),
    socket: () => connect(9, '127.0.0.1'),
  };
  for (const kit of [...(request.scanFolders ?? []), ...(request.speech ? [request.speech.folder] : [])]) {
    tries['data.gz'] = () => readFileSync(join(kit, 'data.gz'));
    tries['model.bin'] = () => readFileSync(join(kit, 'onnx', 'model.bin'));
    tries.above = () => readdirSync(dirname(kit));
    tries.beside = () => {
      try {
        return readFileSync(join(dirname(kit), 'manifest.json'));
      } catch {
        return readFileSync(`${kit}.old/model.bin`);
      }
    };
    tries['into kit'] = () => writeFileSync(join(kit, 'data.gz'), 'y');
  }
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
