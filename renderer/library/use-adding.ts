import { useMemo } from 'react';
import type { Ticket } from '../../app/contract/types.ts';
import { formatDuration } from '../common/format.ts';
import { type Quoth, useQuoth } from '../common/quoth.tsx';
import { text } from '../common/text/text.ts';
import { readDropped } from './dropped.ts';
import type { AddSummary } from './library-state.ts';

const maxTickets = 10_000; // One request of the contract takes so many.

/** The ways into the library. Each tells what came of it, and none throws. */
export function useAdding() {
  const quoth = useQuoth();
  return useMemo(() => createAdding(quoth), [quoth]);
}

function createAdding({ shell, library, notices, view }: Quoth) {
  const { tell, tellError } = notices.getState();
  const guard = (work: () => Promise<void>): void => void work().catch(tellError);

  const report = (summary: AddSummary | null): void => {
    if (!summary) return;
    const { numReady, numFailed, seconds } = summary;
    const time = formatDuration(seconds * 1000);
    const show =
      view.getState().view === 'library'
        ? null
        : { label: text('library.show'), run: () => view.getState().show('library') };
    if (numFailed > 0) tell(text('library.addedSomeFailed', { numReady, numFailed, time }), show);
    else if (numReady > 0)
      tell(text('library.added', { documents: text('count.documents', { count: numReady }), time }));
    else tell(text('library.addedNothing'));
  };
  const addTickets = async (tickets: Ticket[] | null): Promise<void> => {
    if (!tickets || tickets.length === 0) return;
    view.getState().show('library');
    // A browser hands over copies, and the folder itself is not known: there is nothing to follow.
    const watch = shell.kind === 'electron';
    for (let from = 0; from < tickets.length; from += maxTickets)
      report(await library.getState().addFiles(tickets.slice(from, from + maxTickets), watch));
  };
  return {
    chooseFiles: () => guard(async () => addTickets(await shell.chooseFiles())),
    chooseFolder: () => guard(async () => addTickets(await shell.chooseFolder())),
    askForAddress: () => view.getState().askForAddress(''),
    /** One after another: one that cannot be read does not hold up the others. */
    addAddresses: async (addresses: readonly string[]): Promise<void> => {
      view.getState().show('library');
      for (const address of addresses) await library.getState().addAddress(address).then(report).catch(tellError);
    },
    /** Takes what was dropped or pasted; false when there was nothing for the library in it. */
    addDropped: async (transfer: DataTransfer): Promise<boolean> => {
      try {
        const dropped = await readDropped(transfer, shell.kind === 'loopback');
        if (dropped.type === 'nothing') return false;
        if (dropped.type === 'addresses') view.getState().askForAddress(dropped.addresses.join('\n'));
        else {
          const tickets = await shell.ticketsFor(dropped.items, dropped.relativePaths);
          const numLeft = dropped.items.length - tickets.length;
          if (numLeft > 0) tell(text('library.notTaken', { count: numLeft }));
          await addTickets(tickets);
        }
      } catch (thrown) {
        tellError(thrown);
      }
      return true;
    },
  };
}
