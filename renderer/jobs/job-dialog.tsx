import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { JobTask } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { Field } from '../common/field.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { Segments } from '../common/segments.tsx';
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
      <Segments
        label={t('jobs.what')}
        value={type}
        options={jobTypes.map((value) => ({ value, name: t(`jobs.${value}`) }))}
        onChange={setType}
      />
      <p className="mt-2 text-[0.8125rem] text-soft">{t(`jobs.meanings.${type}`)}</p>
      {type === 'mentions' && (
        <Field
          label={t('jobs.words')}
          value={words}
          maxLength={mostWords}
          autoFocus // The person has just chosen to name it.
          placeholder={t('jobs.words')}
          className="mt-4 w-full"
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
