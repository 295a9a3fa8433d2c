import type { ComponentProps } from 'react';

const looks = {
  primary: 'bg-accent text-on-accent hover:bg-accent-strong border-transparent',
  plain: 'bg-raised text-ink border-line-strong/70 hover:bg-hover shadow-card',
  quiet: 'bg-transparent text-soft border-transparent hover:bg-hover hover:text-ink',
  danger: 'bg-transparent text-danger border-line-strong/70 hover:bg-danger-wash',
} as const;

type ButtonProps = ComponentProps<'button'> & { look?: keyof typeof looks };

/** A button with words. */
export function Button({ look = 'plain', className = '', ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={`inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded-lg border px-3 text-[0.8125rem] font-medium whitespace-nowrap transition-colors disabled:cursor-default disabled:opacity-45 ${looks[look]} ${className}`}
      {...rest}
    />
  );
}

type IconButtonProps = ComponentProps<'button'> & { label: string; small?: boolean };

/** A button with a picture; its label is for those who hear it, and for the pointer that rests on it. */
export function IconButton({ label, small = false, className = '', ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`inline-flex ${small ? 'size-7' : 'size-8'} shrink-0 items-center justify-center rounded-lg text-soft transition-colors hover:bg-hover hover:text-ink disabled:opacity-40 ${className}`}
      {...rest}
    />
  );
}
