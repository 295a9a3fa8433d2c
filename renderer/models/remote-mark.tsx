import { Globe, Server } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { Answer } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';

/** The model on another computer that is in use, if one is. */
export function useRemoteInUse() {
  const { remotes } = useQuoth();
  return useStore(remotes, ({ models }) => models.find(({ inUse }) => inUse));
}

/** Beside the scope: that nothing leaves. Another computer's model takes its place with a line of its own. */
export function ComposerHint() {
  const { t } = useTranslation();
  if (useRemoteInUse()) return null;
  return (
    <p className="min-w-0 shrink-[99] truncate text-right text-xs text-faint @max-xl:hidden">{t('composer.hint')}</p>
  );
}

/** Under the composer: where what is written there will go. Never hidden and never cut off: it is to be known before Enter. */
export function ComposerMark() {
  const { t } = useTranslation();
  const remote = useRemoteInUse();
  if (!remote) return null;
  const { name, host, isLoopback } = remote;
  const Icon = isLoopback ? Server : Globe;
  return (
    <p
      className={`mt-2 flex items-start gap-1.5 px-1.5 text-xs [overflow-wrap:anywhere] ${isLoopback ? 'text-faint' : 'font-medium text-warn'}`}
    >
      <Icon className="mt-px size-3.5 shrink-0" aria-hidden="true" />
      <span>{t(isLoopback ? 'remote.composerHere' : 'remote.composer', { model: name, host })}</span>
    </p>
  );
}

/** Under an answer: where its question and its passages were sent. */
export function SentMark({ answer }: { answer: Answer }) {
  const { t } = useTranslation();
  const { sentTo } = answer;
  if (!sentTo) return null;
  const { model, host, isLoopback, numPassages } = sentTo;
  const kind = isLoopback ? 'here' : answer.job ? 'job' : answer.writtenBy === 'model' ? 'written' : 'sent';
  const Icon = isLoopback ? Server : Globe;
  return (
    <p
      className={`mt-2 flex items-start gap-1.5 text-xs [overflow-wrap:anywhere] ${isLoopback ? 'text-faint' : 'text-warn'}`}
    >
      <Icon className="mt-px size-3.5 shrink-0" aria-hidden="true" />
      <span>{t(`remote.mark.${kind}`, { model, host, count: numPassages })}</span>
    </p>
  );
}
