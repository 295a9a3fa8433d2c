import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { JobTask } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { useQuoth } from '../common/quoth.tsx';
import type { JobDraft } from '../common/view.ts';
import { type Chosen, ScopePicker } from './scope-picker.tsx';
import { type JobType, jobTypes } from './slash.ts';
import { useJob } from './use-job.ts';

const mostWords = 500; // The contract's limit.

/** Asks what is to be done with which whole documents. */
export function JobDialog() {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const draft = useStore(view, (state) => state.jobAsked);
  const close = (): void => view.getState().askForJob(null);
  return (
    <Modal open={draft !== null} title={t('jobs.title')} description={t('jobs.meaning')} onClose={close}>
      {draft && <JobForm draft={draft} onClose={close} />}
    </Modal>
  );
}

function JobForm({ draft, onClose }: { draft: JobDraft; onClose: () => void }) {
  const { t } = useTranslation();
  const { start } = useJob();
  const whole: Chosen = { key: 'library', title: t('jobs.library'), scope: { type: 'library' } };
  const [type, setType] = useState<JobType>(draft.type);
  const [words, setWords] = useState(draft.type === 'mentions' ? draft.words : '');
  const [first, setFirst] = useState<Chosen | null>(draft.chosen);
  const [second, setSecond] = useState<Chosen | null>(null);
  useEffect(() => setType(draft.type), [draft]);
  const sought = draft.type === 'mentions' ? '' : draft.words;
  const task = taskOf(type, words, first ?? (sought === '' ? whole : null), second);
  return (
    <form
      className="mt-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (!task) return;
        onClose();
        start(task);
      }}
    >
      <fieldset className="flex rounded-lg border border-line bg-panel p-0.5" aria-label={t('jobs.what')}>
        {jobTypes.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={type === one}
            className="h-7 min-w-0 flex-1 truncate rounded-md px-2 text-[0.8125rem] text-soft hover:text-ink aria-pressed:bg-raised aria-pressed:font-medium aria-pressed:text-ink aria-pressed:shadow-card"
            onClick={() => setType(one)}
          >
            {t(`jobs.${one}`)}
          </button>
        ))}
      </fieldset>
      <p className="mt-2 text-[0.8125rem] text-soft">{t(`jobs.meanings.${type}`)}</p>
      {type === 'mentions' && (
        <input
          type="text"
          value={words}
          maxLength={mostWords}
          // biome-ignore lint/a11y/noAutofocus: the person has just chosen to name it
          autoFocus
          aria-label={t('jobs.words')}
          placeholder={t('jobs.words')}
          className="mt-4 h-9 w-full rounded-lg border border-line-strong bg-paper px-3 text-sm outline-none focus:border-accent"
          onChange={(event) => setWords(event.target.value)}
        />
      )}
      <ScopePicker
        key={type === 'compare' ? 'one' : 'any'}
        label={t(type === 'compare' ? 'jobs.first' : 'jobs.of')}
        onlyDocuments={type === 'compare'}
        chosen={type === 'compare' ? onlyDocument(first) : (first ?? (sought === '' ? whole : null))}
        words={sought}
        onChoose={setFirst}
      />
      {type === 'compare' && (
        <ScopePicker label={t('jobs.second')} onlyDocuments chosen={second} onChoose={setSecond} />
      )}
      <div className="mt-5 flex justify-end gap-2">
        <Button onClick={onClose}>{t('common.cancel')}</Button>
        <Button type="submit" look="primary" disabled={!task}>
          {t('jobs.start')}
        </Button>
      </div>
    </form>
  );
}

function onlyDocument(chosen: Chosen | null): Chosen | null {
  return chosen?.scope.type === 'documents' ? chosen : null;
}

/** The task, once all of it is chosen. */
function taskOf(type: JobType, words: string, first: Chosen | null, second: Chosen | null): JobTask | null {
  if (type !== 'compare') {
    if (!first) return null;
    if (type === 'summarise') return { type, scope: first.scope };
    return words.trim() === '' ? null : { type, words: words.trim(), scope: first.scope };
  }
  const [one, other] = [onlyDocument(first), onlyDocument(second)].map((chosen) =>
    chosen?.scope.type === 'documents' ? chosen.scope.documentIds[0] : undefined,
  );
  return one && other && one !== other ? { type, documents: [one, other] } : null;
}
