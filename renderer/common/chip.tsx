import type { ReactNode } from 'react';

const tones = {
  accent: 'bg-accent-wash text-accent',
  danger: 'bg-danger-wash text-danger',
  warn: 'bg-warn-wash text-warn',
  quiet: 'bg-hover text-soft',
} as const;

type ChipProps = { tone?: keyof typeof tones; children: ReactNode; className?: string };

/** A word or two about the thing beside it. Never to be pressed: what can be pressed is a button. */
export function Chip({ tone = 'quiet', children, className = '' }: ChipProps) {
  return (
    <span className={`inline-flex items-center gap-1 rounded-full px-2 py-0.5 text-xs ${tones[tone]} ${className}`}>
      {children}
    </span>
  );
}
