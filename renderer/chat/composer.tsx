import { ArrowUp, Square } from 'lucide-react';
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { isSendingKey } from './sending-key.ts';

type ComposerProps = {
  /** Changes when another conversation comes to the front, which then takes the focus. */
  conversationKey: string;
  draft: string;
  isAsking: boolean;
  placeholder: string;
  onDraft: (text: string) => void;
  onAsk: (question: string) => void;
  onStop: () => void;
};

const maxQuestionLength = 20_000; // The contract's limit.
const maxHeightPx = 200;

/** Where questions are written. Enter asks, Shift+Enter makes a line, Escape stops the answer that is being written. */
export function Composer(props: ComposerProps) {
  const { conversationKey, draft, isAsking, placeholder, onDraft, onAsk, onStop } = props;
  const { t } = useTranslation();
  const field = useRef<HTMLTextAreaElement>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the focus follows the conversation
  useEffect(() => field.current?.focus(), [conversationKey]);

  // The button that stopped the answer is gone; what had the focus must not lose it to nothing.
  useEffect(() => {
    if (!isAsking && document.activeElement === document.body) field.current?.focus();
  }, [isAsking]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${Math.min(element.scrollHeight, maxHeightPx)}px`;
  }, [draft]);

  const ask = (): void => {
    const question = draft.trim();
    if (question !== '' && !isAsking) onAsk(question);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && isAsking) {
      event.preventDefault();
      onStop();
      return;
    }
    if (!isSendingKey(event)) return;
    event.preventDefault();
    ask();
  };
  return (
    <form
      className="flex items-end gap-2 rounded-2xl border border-line-strong bg-raised p-2 pl-4 shadow-card transition-shadow focus-within:border-accent focus-within:shadow-float"
      onSubmit={(event) => {
        event.preventDefault();
        ask();
      }}
    >
      <textarea
        ref={field}
        rows={1}
        value={draft}
        maxLength={maxQuestionLength}
        placeholder={placeholder}
        aria-label={t('composer.label')}
        className="min-h-9 flex-1 resize-none bg-transparent py-1.5 leading-6 outline-none placeholder:text-faint"
        onChange={(event) => onDraft(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {isAsking ? (
        <button
          type="button"
          aria-label={t('composer.stop')}
          title={t('composer.stop')}
          className="inline-flex size-9 shrink-0 items-center justify-center rounded-xl border border-line-strong text-ink hover:bg-hover"
          onClick={onStop}
        >
          <Square className="size-3.5 fill-current" />
        </button>
      ) : (
        <button
          type="submit"
          aria-label={t('composer.ask')}
          title={t('composer.ask')}
          disabled={draft.trim() === ''}
          className="inline-flex size-9 shrink-0 items-center justify-center rounded-xl bg-accent text-on-accent transition-colors hover:bg-accent-strong disabled:bg-hover disabled:text-faint"
        >
          <ArrowUp className="size-[1.125rem]" />
        </button>
      )}
    </form>
  );
}
