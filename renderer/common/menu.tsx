import { DropdownMenu } from 'radix-ui';
import type { ReactNode } from 'react';

type MenuProps = {
  /** The button that opens it. */
  trigger: ReactNode;
  children: ReactNode;
  /** Called when it has closed, before the focus goes back to the button. */
  onCloseAutoFocus?: (event: Event) => void;
};

/** A menu at its button. Not modal: a modal one writes a style sheet into the page, which the content policy forbids. */
export function Menu({ trigger, children, onCloseAutoFocus }: MenuProps) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="start"
          sideOffset={4}
          collisionPadding={8}
          className="z-40 min-w-36 rounded-xl border border-line bg-raised p-1 text-sm shadow-float"
          {...(onCloseAutoFocus ? { onCloseAutoFocus } : {})}
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

type MenuItemProps = { icon: ReactNode; children: ReactNode; danger?: boolean; onSelect: () => void };

export function MenuItem({ icon, children, danger = false, onSelect }: MenuItemProps) {
  return (
    <DropdownMenu.Item
      className={`flex cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-1.5 outline-none ${danger ? 'text-danger data-[highlighted]:bg-danger-wash' : 'data-[highlighted]:bg-hover'}`}
      onSelect={onSelect}
    >
      <span className="inline-flex shrink-0 text-current" aria-hidden="true">
        {icon}
      </span>
      {children}
    </DropdownMenu.Item>
  );
}
