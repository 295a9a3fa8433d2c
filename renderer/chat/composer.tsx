import { ArrowUp, BookOpenCheck, Square } from 'lucide-react';
import { type KeyboardEvent, useEffect, useId, useLayoutEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from '../common/button.tsx';
import { type SlashCommand, slashCommands } from '../jobs/slash.ts';
import { SlashMenu } from '../jobs/slash-menu.tsx';
import { isComposingKey, isSendingKey } from './sending-key.ts';

type ComposerProps = {
  /** Changes when another conversation comes to the front, which then takes the focus. */
  conversationKey: string;
  draft: string;
  isAsking: boolean;
  placeholder: string;
  onDraft: (text: string) => void;
  onAsk: (question: string) => void;
  /** A command that was typed, or null for the button that asks which. */
  onCommand: (command: SlashCommand | null) => void;
  onStop: () => void;
};

const maxQuestionLength = 20_000; // The contract's limit.
const maxHeightPx = 200;

/** Where questions are written. Enter asks, Shift+Enter makes a line, Escape stops the answer that is being written. */
export function Composer(props: ComposerProps) {
  const { conversationKey, draft, isAsking, placeholder, onDraft, onAsk, onCommand, onStop } = props;
  const { t } = useTranslation();
  const field = useRef<HTMLTextAreaElement>(null);
  const menuId = useId();
  const [active, setActive] = useState(0);
  const [closedFor, setClosedFor] = useState<string | null>(null);
  const commands = closedFor === draft ? [] : slashCommands(draft, (type) => t(`jobs.command.${type}`));
  const chosen = commands[Math.min(active, commands.length - 1)];
  const choose = (command: SlashCommand): void => {
    onDraft('');
    setActive(0);
    onCommand(command);
  };

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
    if (chosen) choose(chosen);
    else if (question !== '' && !isAsking) onAsk(question);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (chosen && !isComposingKey(event)) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const isChoice = isSendingKey(event) || (event.key === 'Tab' && !event.shiftKey);
      if (step !== undefined || isChoice || event.key === 'Escape') event.preventDefault();
      if (step !== undefined) setActive((commands.indexOf(chosen) + step + commands.length) % commands.length);
      else if (isChoice) choose(chosen);
      else if (event.key === 'Escape') setClosedFor(draft);
      if (event.defaultPrevented) return;
    }
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
      className="flex items-end gap-2 rounded-2xl border border-line-strong bg-raised p-2 shadow-card transition-shadow focus-within:border-accent focus-within:shadow-float"
      onSubmit={(event) => {
        event.preventDefault();
        ask();
      }}
    >
      {chosen && <SlashMenu id={menuId} commands={commands} active={commands.indexOf(chosen)} onChoose={choose} />}
      <IconButton label={t('jobs.title')} className="my-0.5" onClick={() => onCommand(null)}>
        <BookOpenCheck className="size-[1.125rem]" />
      </IconButton>
      <textarea
        ref={field}
        rows={1}
        value={draft}
        maxLength={maxQuestionLength}
        placeholder={placeholder}
        aria-label={t('composer.label')}
        aria-autocomplete="list"
        aria-haspopup="listbox"
        aria-controls={chosen ? menuId : undefined}
        aria-activedescendant={chosen ? `${menuId}-${chosen.type}` : undefined}
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
