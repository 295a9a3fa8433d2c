import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { formatBytes } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';

/** Asks before documents are removed: it cannot be taken back. Then tells what is gone. */
export function RemoveDialog() {
  const { t } = useTranslation();
  const { shelf, library, notices, shell, view } = useQuoth();
  const ids = useStore(shelf, (state) => state.removalAsked);
  const documents = useStore(library, (state) => state.documents);
  const [numWanted, setNumWanted] = useState(0);
  const there = (ids ?? []).flatMap((id) => documents.get(id) ?? []);
  const close = (): void => {
    setNumWanted(0);
    shelf.getState().askRemoval(null);
  };
  const remove = async (): Promise<void> => {
    const wanted = there.map(({ id }) => id);
    setNumWanted(wanted.length);
    const shown = view.getState();
    try {
      const summary = await library.getState().remove(wanted);
      // What is gone must not stay before one's eyes.
      if (shown.reading && wanted.includes(shown.reading.documentId)) view.getState().read(null);
      const { view: front, documentShown } = view.getState();
      if (front === 'document' && documentShown && wanted.includes(documentShown.documentId))
        view.getState().show('library');
      if (summary)
        notices.getState().tell(
          t('shelf.removed', {
            documents: t('count.documents', { count: summary.numDocuments }),
            passages: t('count.passages', { count: summary.numPassages }),
            size: formatBytes(summary.freedBytes),
          }),
        );
      shelf.getState().select(new Set());
      shelf.getState().loadSizes().catch(notices.getState().tellError);
    } catch (thrown) {
      notices.getState().tellError(thrown);
    }
    close();
  };
  const one = there.length === 1 ? there[0] : undefined;
  const isRunning = numWanted > 0;
  return (
    <Modal
      open={ids !== null}
      title={
        isRunning
          ? t('shelf.removing', { left: there.length, total: numWanted })
          : one
            ? t('library.removeTitle', { title: one.title })
            : t('shelf.removeMany', { documents: t('count.documents', { count: there.length }) })
      }
      description={
        <>
          <p>{t('library.removeMeaning')}</p>
          <p className="mt-2">{t(shell.kind === 'loopback' ? 'shelf.removeCopies' : 'shelf.filesStay')}</p>
        </>
      }
      onClose={() => !isRunning && close()}
      onFocusLost={() => shelf.getState().wantFocus(true)}
    >
      <div className="mt-5 flex justify-end gap-2">
        <Button disabled={isRunning} onClick={close}>
          {t('common.cancel')}
        </Button>
        <Button look="danger" disabled={isRunning || there.length === 0} onClick={() => void remove()}>
          {t('library.remove')}
        </Button>
      </div>
    </Modal>
  );
}
