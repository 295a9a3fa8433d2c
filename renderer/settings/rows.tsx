import { type ReactNode, useId } from 'react';

/** One part of the settings: its title, what it is about, and what can be chosen, row by row. */
export function Section({ title, meaning, children }: { title: string; meaning?: string; children: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="mb-10">
      <h2 id={id} className="text-lg font-semibold">
        {title}
      </h2>
      {meaning && <p className="mt-0.5 max-w-[38rem] text-sm text-soft">{meaning}</p>}
      {children}
    </section>
  );
}

export function Rows({ children }: { children: ReactNode }) {
  return (
    <div className="mt-4 divide-y divide-line rounded-2xl border border-line bg-raised shadow-card">{children}</div>
  );
}

type RowProps = { label: string; meaning: ReactNode; children?: ReactNode; below?: ReactNode };

/** What can be chosen, what it means, and the choice beside it; in a narrow place, below. */
export function Row({ label, meaning, children, below }: RowProps) {
  return (
    <div className="px-5 py-4">
      <div className="flex flex-wrap items-center gap-x-6 gap-y-3">
        <div className="min-w-[min(14rem,100%)] flex-1">
          <p className="font-medium">{label}</p>
          <div className="text-[0.8125rem] text-soft">{meaning}</div>
        </div>
        {children}
      </div>
      {below}
    </div>
  );
}
