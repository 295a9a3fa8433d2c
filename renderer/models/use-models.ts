import { useMemo } from 'react';
import type { ModelSummary, Ticket } from '../../app/contract/types.ts';
import { formatBytes } from '../common/format.ts';
import { type Quoth, useQuoth } from '../common/quoth.tsx';
import { text } from '../common/text/text.ts';
import { readDropped } from '../library/dropped.ts';
import { nameOfModel } from './name.ts';

/** What can be done with models. Each tells what went wrong, and none throws. */
export function useModels() {
  const quoth = useQuoth();
  return useMemo(() => createActions(quoth), [quoth]);
}

type Named = Pick<ModelSummary, 'id'>;

function createActions({ models, notices, shell }: Quoth) {
  const { tell, tellError } = notices.getState();
  const guard = (work: () => Promise<void>): void => void work().catch(tellError);
  const importTickets = async (tickets: Ticket[] | null): Promise<void> => {
    if (tickets && tickets.length > 0) await models.getState().importFiles(tickets);
  };
  return {
    install: ({ id }: Named) => guard(() => models.getState().install(id)),
    pause: ({ id }: Named) => guard(() => models.getState().pause(id)),
    cancel: ({ id }: Named) => guard(() => models.getState().cancel(id)),
    use: ({ id }: Named) => guard(() => models.getState().use(id)),
    unuse: ({ id }: Named) => guard(() => models.getState().unuse(id)),
    remove: (model: ModelSummary) =>
      guard(async () => {
        const { id } = model;
        const freedBytes = await models.getState().remove(id);
        tell(text('models.removed', { name: nameOfModel(model), size: formatBytes(freedBytes) }), {
          label: text('common.undo'),
          run: () => guard(() => models.getState().restore(id)),
        });
      }),
    chooseFile: () => guard(async () => importTickets(await shell.chooseFiles())),
    chooseFolder: () => guard(async () => importTickets(await shell.chooseFolder())),
    /** Takes what was dropped; false when there was no file in it. */
    importDropped: async (transfer: DataTransfer): Promise<boolean> => {
      try {
        const dropped = await readDropped(transfer, shell.kind === 'loopback');
        if (dropped.type !== 'files') return false;
        await importTickets(await shell.ticketsFor(dropped.items, dropped.relativePaths));
      } catch (thrown) {
        tellError(thrown);
      }
      return true;
    },
    move: () =>
      guard(async () => {
        const [ticket] = (await shell.chooseFolder()) ?? [];
        if (ticket) await models.getState().move(ticket);
      }),
    cancelMove: () => guard(() => models.getState().cancelMove()),
  };
}
