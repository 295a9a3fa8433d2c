import { Download } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { useQuoth } from '../common/quoth.tsx';
import { useModels } from '../models/use-models.ts';
import { canTake } from './dropped.ts';
import { useAdding } from './use-adding.ts';

/** The whole window takes what is dropped on it, and what is pasted outside of a field. */
export function DropZone() {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const { addDropped } = useAdding();
  const { importDropped } = useModels();
  // On the page of the models, files are one.
  const isModel = useStore(view, (state) => state.view === 'models');
  const [over, setOver] = useState(false);
  useEffect(() => {
    // Each element that the pointer crosses enters and leaves; only the last leaving is the end.
    let depth = 0;
    const onEnter = (event: DragEvent): void => {
      if (!canTake(event.dataTransfer)) return;
      event.preventDefault();
      depth++;
      setOver(true);
    };
    const onOver = (event: DragEvent): void => {
      if (!canTake(event.dataTransfer)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
    };
    const onLeave = (event: DragEvent): void => {
      if (!canTake(event.dataTransfer)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const onDrop = (event: DragEvent): void => {
      depth = 0;
      setOver(false);
      if (!canTake(event.dataTransfer) || !event.dataTransfer) return;
      event.preventDefault();
      void (isModel ? importDropped : addDropped)(event.dataTransfer);
    };
    const onPaste = (event: ClipboardEvent): void => {
      const inField =
        event.target instanceof Element && event.target.closest('input, textarea, [role="dialog"]') !== null;
      const transfer = event.clipboardData;
      if (!transfer || (inField && transfer.files.length === 0)) return;
      void addDropped(transfer);
    };
    const listeners = new AbortController();
    const options = { signal: listeners.signal };
    window.addEventListener('dragenter', onEnter, options);
    window.addEventListener('dragover', onOver, options);
    window.addEventListener('dragleave', onLeave, options);
    window.addEventListener('drop', onDrop, options);
    window.addEventListener('paste', onPaste, options);
    return () => listeners.abort();
  }, [addDropped, importDropped, isModel]);
  if (!over) return null;
  return (
    <div className="pointer-events-none fixed inset-0 z-50 grid place-items-center bg-paper/85 p-6 backdrop-blur-sm">
      <div className="grid h-full w-full place-items-center rounded-3xl border-2 border-dashed border-accent">
        <div className="text-center">
          <Download className="mx-auto size-8 text-accent" aria-hidden="true" />
          <p className="mt-3 font-serif text-2xl">{t(isModel ? 'models.import.drop' : 'drop.title')}</p>
          <p className="mt-1 text-sm text-soft">{t(isModel ? 'models.import.kinds' : 'drop.kinds')}</p>
        </div>
      </div>
    </div>
  );
}
