import { Dialog } from 'radix-ui';
import { type ReactNode, useRef } from 'react';

type ModalProps = {
  open: boolean;
  title: string;
  description?: ReactNode;
  children: ReactNode;
  onClose: () => void;
  /** Called when it has closed and what had the focus before is gone. */
  onFocusLost?: () => void;
};

/**
 * A small window over the window. The veil is a plain element: the library's own writes a style sheet into the page, which
 * the content policy forbids.
 */
export function Modal({ open, title, description, children, onClose, onFocusLost }: ModalProps) {
  const cameFrom = useRef<Element | null>(null);
  return (
    <Dialog.Root open={open} onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Dialog.Portal>
        <div className="fixed inset-0 z-40 bg-black/35" aria-hidden="true" />
        <Dialog.Content
          {...(description ? {} : { 'aria-describedby': undefined })}
          onOpenAutoFocus={() => {
            cameFrom.current = document.activeElement;
          }}
          onCloseAutoFocus={(event) => {
            // The library would give the focus to a button that opens it, and there is none.
            event.preventDefault();
            const before = cameFrom.current;
            if (before instanceof HTMLElement && before.isConnected && before !== document.body) before.focus();
            else onFocusLost?.();
          }}
          className="rise fixed top-1/2 max-h-[calc(100vh-2rem)] overflow-y-auto left-1/2 z-50 w-[min(28rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 rounded-2xl border border-line bg-raised p-6 shadow-float"
        >
          <Dialog.Title className="text-base font-semibold">{title}</Dialog.Title>
          {description && (
            <Dialog.Description asChild>
              <div className="mt-2 text-sm text-soft">{description}</div>
            </Dialog.Description>
          )}
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
