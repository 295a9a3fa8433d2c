import type { ComponentProps, ReactNode } from 'react';

/** What belongs together, raised from the page. */
export function Card({ className = '', ...rest }: ComponentProps<'div'>) {
  return <div className={`rounded-2xl border border-line bg-raised shadow-card ${className}`} {...rest} />;
}

type EmptyProps = { title: string; detail?: ReactNode; heading?: 'h1' | 'h2' | 'h3'; children?: ReactNode };

/** A place where there is nothing yet: what it will hold, and the way to begin. `heading`: the title's rank on its page. */
export function Empty({ title, detail, heading: Heading = 'h1', children }: EmptyProps) {
  return (
    <div className="mx-auto max-w-md p-6 text-center">
      <Heading className="font-serif text-2xl font-medium text-balance">{title}</Heading>
      {detail && <p className="mt-2 text-soft">{detail}</p>}
      {children && <div className="mt-6 flex flex-wrap justify-center gap-2">{children}</div>}
    </div>
  );
}
