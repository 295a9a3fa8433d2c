/** A process that adds a folder to a profile until it is killed: `node add-until-killed.ts PROFILE FOLDER [watch]`. */
import { randomBytes } from 'node:crypto';
import { createApp } from '../../../app/app.ts';
import { createNodeSpawner } from '../../../ingest/readers/node-spawner.ts';
import { createReadFile } from '../../../ingest/run-reader.ts';
import { watchFolder } from '../../../main/watch-folder.ts';
import { createMemorySecrets, noModels, noNative } from '../outside.ts';

const [profileFolder = '', folder = '', watch = ''] = process.argv.slice(2);
const app = await createApp(
  {
    profileFolder,
    modelsFolder: `${profileFolder}-models`,
    samplesFolder: `${profileFolder}-samples`,
    native: noNative,
    readFile: createReadFile(createNodeSpawner()),
    watchFolder,
    fetch: globalThis.fetch,
    secrets: createMemorySecrets(),
    packageAddress: async () => null,
    nowMs: Date.now,
    randomBytes,
    log: () => {},
    version: '0.0.0-test',
  },
  { kit: noModels },
);
// Every line is a promise: this document is in the profile, whatever happens next.
for await (const event of app.library.addPaths([folder], new AbortController().signal, { watch: watch === 'watch' }))
  if (event.type === 'document') process.stdout.write(`${event.document.source}\n`);
await app.close();
