import { Tooltip } from 'radix-ui';
import type { ReactNode } from 'react';

type HintProps = { words: ReactNode; children: ReactNode };

/** A sentence about what the pointer or the focus rests on. `children` is one element that can have the focus. */
export function Hint({ words, children }: HintProps) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={6}
          collisionPadding={8}
          className="rise z-50 max-w-72 rounded-lg bg-ink px-2.5 py-1.5 text-xs text-paper shadow-float"
        >
          {words}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
