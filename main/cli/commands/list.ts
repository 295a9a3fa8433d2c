import type { LibraryEvent } from '../../../app/contract/contract.ts';
import type { Command } from '../command.ts';
import { documentFact, documentWords } from '../places.ts';

export const command: Command = {
  usage: 'list',
  summary: 'Lists the documents of the library.',
  options: [],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ output, openCore, signal }) {
    const core = await openCore();
    for await (const event of core.handlers.watchLibrary({}, signal) as AsyncIterable<LibraryEvent>) {
      if (event.type !== 'reset') continue;
      const words = event.documents.map(documentWords).join('\n');
      await output.say({ documents: event.documents.map(documentFact) }, words || 'The library is empty.');
      break;
    }
    return 0;
  },
};
