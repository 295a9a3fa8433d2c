/** A window over the real contract, in memory: what a test of the picture starts with. */
import { act, cleanup, configure, render } from '@testing-library/react';
import { afterEach } from 'vitest';
import { createClient } from '../../app/contract/client.ts';
import { contract } from '../../app/contract/contract.ts';
import { createMemoryPorts } from '../../app/contract/port.ts';
import { serve } from '../../app/contract/server.ts';
import type { DesktopShell, QuothShell, ShellCommand, ShortcutState } from '../../app/contract/shell.ts';
import type { Ticket } from '../../app/contract/types.ts';
import { createQuoth, QuothProvider } from '../../renderer/common/quoth.tsx';
import { startTexts } from '../../renderer/common/text/text.ts';
import { watchEnd } from '../../renderer/connection.ts';
import { Frame } from '../../renderer/frame/frame.tsx';
import { createFakeApp, type FakeApp } from '../fakes/app-handlers.ts';

export const someTicket = 'a'.repeat(24) as Ticket;

/** What jsdom lacks: it has no layout. Every element is 60 pixels high here and shows 600 of its content. */
function givePageASize(): void {
  globalThis.ResizeObserver = class {
    observe(): void {}
    unobserve(): void {}
    disconnect(): void {}
  };
  for (const [name, size] of [
    ['clientHeight', 600],
    ['clientWidth', 800],
    ['offsetHeight', 60],
    ['offsetWidth', 800],
  ] as const)
    Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get: () => size });
  Element.prototype.scrollTo = () => undefined;
  Element.prototype.hasPointerCapture = () => false;
  Element.prototype.scrollIntoView = () => undefined;
}

export type ShellCalls = {
  saved: { name: string; mediaType: string; bytes: Uint8Array }[];
  opened: string[];
  taken: { names: string[]; relativePaths: string[] | undefined }[];
  /** How often the profile's folder was opened. */
  numFoldersOpened: number;
};

/** Opens a window on a fake application; `prepare` fills it before the window asks. */
export function openWindow(prepare: (app: FakeApp) => void = () => undefined, kind: QuothShell['kind'] = 'loopback') {
  startTexts();
  givePageASize();
  const app = createFakeApp();
  prepare(app);
  const [windowPort, corePort] = createMemoryPorts();
  const faults: unknown[] = [];
  serve(contract, app.handlers, corePort, { onFault: (_procedure, thrown) => faults.push(thrown) });
  const calls: ShellCalls = { saved: [], opened: [], taken: [], numFoldersOpened: 0 };
  let listener: ((command: ShellCommand) => void) | undefined;
  const shortcuts = new Map<string, ShortcutState>();
  const desktop: DesktopShell = {
    onCommand: (given) => {
      listener = given;
    },
    checkShortcut: async (shortcut) => shortcuts.get(shortcut) ?? 'free',
    openProfileFolder: async () => void calls.numFoldersOpened++,
  };
  const shell: QuothShell = {
    kind,
    ...(kind === 'electron' ? { desktop } : {}),
    connect: async () => windowPort,
    chooseFiles: async () => [someTicket],
    chooseFolder: async () => null,
    ticketsFor: async (items, relativePaths) => {
      calls.taken.push({ names: items.map((item) => item.name), relativePaths });
      return items.map((_item, index) => String(index).padStart(24, '0') as Ticket);
    },
    saveFile: async (file) => {
      calls.saved.push(file);
      return true;
    },
    recordingAddress: async (documentId) => `/recordings/of-${documentId}`,
    openExternal: async (address) => void calls.opened.push(address),
  };
  let ended = false;
  const listeners = new Set<() => void>();
  const port = watchEnd(windowPort, () => {
    ended = true;
    for (const listener of listeners) listener();
  });
  const quoth = createQuoth(createClient(contract, port), shell);
  const connection = {
    ended: () => ended,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const view = render(
    <QuothProvider quoth={quoth}>
      <Frame connection={connection} />
    </QuothProvider>,
  );
  return {
    ...view,
    app,
    calls,
    quoth,
    faults,
    /** What other programs have of keys; the rest is free. */
    shortcuts,
    /** As the shell of Electron asks for something to be shown. */
    command: (command: ShellCommand) => act(() => listener?.(command)),
    endConnection: () => corePort.close(),
  };
}

afterEach(cleanup);

// What is only for a screen reader says an answer a second time; a test that means it looks for it by name.
configure({ defaultIgnore: 'script, style, .sr-only', asyncUtilTimeout: 15_000 });
