import { GitCompareArrows, ListChecks, ScrollText } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { JobType, SlashCommand } from './slash.ts';

export const jobIcons: Readonly<Record<JobType, typeof ScrollText>> = {
  summarise: ScrollText,
  mentions: ListChecks,
  compare: GitCompareArrows,
};

type SlashMenuProps = {
  id: string;
  commands: readonly SlashCommand[];
  active: number;
  onChoose: (command: SlashCommand) => void;
};

/** The commands that fit what was typed, over the field where it was typed. */
export function SlashMenu({ id, commands, active, onChoose }: SlashMenuProps) {
  const { t } = useTranslation();
  return (
    <div
      id={id}
      role="listbox"
      aria-label={t('jobs.commands')}
      className="absolute inset-x-6 bottom-full z-20 mb-2 overflow-hidden rounded-xl border border-line bg-raised p-1 shadow-float"
    >
      {commands.map((command, index) => {
        const Icon = jobIcons[command.type];
        return (
          <div
            key={command.type}
            id={`${id}-${command.type}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === active}
            className="flex cursor-pointer items-center gap-3 rounded-lg px-3 py-2 text-sm aria-selected:bg-hover hover:bg-hover"
            onMouseDown={(event) => event.preventDefault()} // The field keeps the focus.
            onClick={() => onChoose(command)}
            onKeyDown={() => undefined} // The field has the keys.
          >
            <Icon className="size-4 shrink-0 text-accent" aria-hidden="true" />
            <span className="shrink-0 font-medium">/{t(`jobs.command.${command.type}`)}</span>
            <span className="min-w-0 truncate text-[0.8125rem] text-soft">{t(`jobs.meanings.${command.type}`)}</span>
          </div>
        );
      })}
    </div>
  );
}
