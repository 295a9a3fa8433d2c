import { ChevronLeft, ChevronRight, Pencil } from 'lucide-react';
import { type KeyboardEvent, useLayoutEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { TurnId } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import type { LiveTurn } from './live-turn.ts';
import { scopeWords } from './scope-words.ts';
import { isComposingKey, isSendingKey } from './sending-key.ts';

const maxQuestionLength = 20_000; // The contract's limit.

type QuestionProps = {
  turn: LiveTurn;
  /** While an answer is being written, nothing is edited and no other branch shown. */
  disabled: boolean;
  /** What was asked with words, and not by choosing documents. */
  canEdit: boolean;
  onEdit: (question: string) => void;
  onShow: (turnId: TurnId) => void;
};

/** The question of a turn: it can be edited, and its other versions stand beside it. */
export function Question({ turn, disabled, canEdit, onEdit, onShow }: QuestionProps) {
  const { t } = useTranslation();
  const [editing, setEditing] = useState(false);
  const editButton = useRef<HTMLButtonElement>(null);
  const end = (question: string | null): void => {
    setEditing(false);
    if (question !== null) onEdit(question);
    else requestAnimationFrame(() => editButton.current?.focus());
  };
  if (editing && !disabled) return <EditBox question={turn.question} onEnd={end} />;
  return (
    <div className="group mb-3">
      <div className="flex items-start gap-2">
        <h2 className="min-w-0 flex-1 font-serif text-[1.3rem] leading-snug font-medium whitespace-pre-wrap [overflow-wrap:anywhere]">
          {turn.question}
        </h2>
        {canEdit && (
          <IconButton
            ref={editButton}
            label={t('turn.edit')}
            small
            disabled={disabled}
            className="opacity-0 group-hover:opacity-100 focus-visible:opacity-100 disabled:invisible"
            onClick={() => setEditing(true)}
          >
            <Pencil className="size-3.5" />
          </IconButton>
        )}
      </div>
      {turn.scope && (
        <p className="mt-0.5 text-xs text-soft">{t('scope.askedIn', { scope: scopeWords(turn.scope, 4) })}</p>
      )}
      <Versions turn={turn} disabled={disabled} onShow={onShow} />
    </div>
  );
}

/** ‹ 1/2 ›: the ways between the versions of a question and its answers. */
function Versions({ turn, disabled, onShow }: Pick<QuestionProps, 'turn' | 'disabled' | 'onShow'>) {
  const { t } = useTranslation();
  const { siblings, turnId } = turn;
  const index = turnId === null ? -1 : siblings.indexOf(turnId);
  if (siblings.length < 2 || index === -1) return null;
  const step = (by: -1 | 1) => {
    const target = siblings[index + by];
    return (
      <IconButton
        label={t(by === -1 ? 'turn.previous' : 'turn.next')}
        disabled={disabled || target === undefined}
        small
        onClick={() => target && onShow(target)}
      >
        {by === -1 ? <ChevronLeft className="size-4" /> : <ChevronRight className="size-4" />}
      </IconButton>
    );
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <span
      role="group"
      aria-label={t('turn.versions')}
      className="mt-0.5 -ml-2 flex items-center text-xs text-soft tabular-nums"
    >
      {step(-1)}
      <span aria-hidden="true">
        {index + 1}/{siblings.length}
      </span>
      <span className="sr-only">{t('turn.position', { n: index + 1, total: siblings.length })}</span>
      {step(1)}
    </span>
  );
}

/** Enter asks, Shift+Enter makes a line, Escape leaves the question as it was. */
function EditBox({ question, onEnd }: { question: string; onEnd: (question: string | null) => void }) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(question);
  const field = useRef<HTMLTextAreaElement>(null);
  const ask = (): void => {
    const wanted = typed.trim();
    if (wanted !== '') onEnd(wanted);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [typed]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && !isComposingKey(event)) {
      event.preventDefault();
      onEnd(null);
    } else if (isSendingKey(event)) {
      event.preventDefault();
      ask();
    }
  };
  return (
    <div className="mb-4 rounded-2xl border border-accent bg-raised p-2 pl-4 shadow-card">
      <textarea
        ref={field}
        // biome-ignore lint/a11y/noAutofocus: the person has just asked to write here
        autoFocus
        rows={1}
        value={typed}
        maxLength={maxQuestionLength}
        aria-label={t('turn.edited')}
        className="max-h-[50vh] w-full resize-none bg-transparent py-1.5 font-serif text-[1.15rem] leading-snug outline-none"
        onChange={(event) => setTyped(event.target.value)}
        onFocus={(event) => event.target.setSelectionRange(typed.length, typed.length)}
        onKeyDown={onKeyDown}
      />
      <div className="flex flex-wrap items-center justify-end gap-2">
        <span className="mr-auto text-xs text-faint">{t('turn.editMeaning')}</span>
        <Button look="quiet" onClick={() => onEnd(null)}>
          {t('common.cancel')}
        </Button>
        <Button look="primary" disabled={typed.trim() === ''} onClick={ask}>
          {t('composer.ask')}
        </Button>
      </div>
    </div>
  );
}
