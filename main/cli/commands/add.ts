import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { AddEvent } from '../../../app/contract/contract.ts';
import { QuothError } from '../../../app/contract/errors.ts';
import { ticket } from '../../../app/contract/types.ts';
import type { Command } from '../command.ts';
import { followReading } from '../follow-reading.ts';
import { documentFact, documentWords } from '../places.ts';

const isAddress = (text: string): boolean => /^https?:\/\//i.test(text);

export const command: Command = {
  usage: 'add [--watch] <path|address>…',
  summary:
    'Adds files, folders and YouTube addresses, and waits until they can be searched. --watch: the folders are followed whenever Quoth is open.',
  options: [],
  flags: ['watch'],
  minPositionals: 1,
  maxPositionals: 10_000,
  async run({ positionals, values, output, openCore, signal }) {
    const paths = positionals.filter((one) => !isAddress(one)).map((one) => path.resolve(one));
    for (const one of paths)
      await stat(one).catch((cause: unknown) => {
        throw new QuothError('not-found', `There is no file or folder "${one}".`, { cause });
      });
    const core = await openCore({ resume: true });
    const streams: AsyncIterable<AddEvent>[] = [];
    if (paths.length > 0) {
      const tickets = paths.map((one) => ticket.parse(core.tickets.issue(one)));
      streams.push(
        core.handlers.addFiles({ tickets, watch: values.watch !== undefined }, signal) as AsyncIterable<AddEvent>,
      );
    }
    for (const address of positionals.filter(isAddress))
      streams.push(core.handlers.addAddress({ address }, signal) as AsyncIterable<AddEvent>);

    const startedAtMs = performance.now();
    let numReady = 0;
    let numFailed = 0;
    const leave = followReading(core, output, signal);
    for (const events of streams)
      for await (const event of events) {
        if (event.type === 'document') await output.say(documentFact(event.document), documentWords(event.document));
        if (event.type === 'summary') {
          numReady += event.numReady;
          numFailed += event.numFailed;
        }
      }
    await leave();
    const seconds = Math.round(performance.now() - startedAtMs) / 1000;
    const summary = { type: 'summary', numReady, numFailed, seconds };
    await output.say(summary, `${numReady} ready, ${numFailed} not, in ${seconds.toFixed(1)} s`);
    return numReady === 0 && numFailed > 0 ? 1 : 0;
  },
};
