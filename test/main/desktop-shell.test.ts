/** What the window process does with the core's word, over an Electron of cardboard: also what only Windows has. */
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DesktopSettings } from '../../main/electron/messages.ts';
import { longMs } from '../../main/electron/notifications.ts';

const cardboard = vi.hoisted(() => ({
  badge: 0,
  tasks: [] as unknown[],
  held: new Map<string, () => void>(),
  notices: [] as { title: string; body: string; emit(event: string): void }[],
  trays: [] as { menu: { label?: string; click?: () => void }[]; tip: string; isGone: boolean }[],
  power: new Map<string, () => void>(),
  labels: [] as (string | undefined)[],
}));

vi.mock('electron', async () => {
  const { EventEmitter: Emitter } = await import('node:events');
  class Notice extends Emitter {
    static isSupported = () => true;
    title: string;
    body: string;
    constructor({ title, body }: { title: string; body: string }) {
      super();
      this.title = title;
      this.body = body;
    }
    show(): void {
      cardboard.notices.push(this);
    }
  }
  class Tray extends Emitter {
    menu: { label?: string }[] = [];
    tip = '';
    isGone = false;
    constructor() {
      super();
      cardboard.trays.push(this);
    }
    isDestroyed = () => this.isGone;
    destroy = () => {
      this.isGone = true;
    };
    setToolTip(tip: string): void {
      this.tip = tip;
    }
    setContextMenu(menu: { label?: string }[]): void {
      this.menu = menu;
    }
  }
  const image = { addRepresentation: () => undefined };
  return {
    app: {
      getPreferredSystemLanguages: () => ['en-US'],
      setAboutPanelOptions: () => undefined,
      setBadgeCount: (count: number) => {
        cardboard.badge = count;
      },
      setUserTasks: (tasks: unknown[]) => {
        cardboard.tasks = tasks;
      },
      on: () => undefined,
      quit: () => undefined,
    },
    globalShortcut: {
      register: (keys: string, callback: () => void) => {
        cardboard.held.set(keys, callback);
        return true;
      },
      unregister: (keys: string) => cardboard.held.delete(keys),
    },
    Notification: Notice,
    powerMonitor: { on: (event: string, listener: () => void) => cardboard.power.set(event, listener) },
    Menu: {
      buildFromTemplate: (template: unknown[]) => template,
      setApplicationMenu: (menu: { label?: string }[]) => {
        cardboard.labels = menu.map(({ label }) => label);
      },
    },
    Tray,
    nativeImage: { createEmpty: () => image, createFromDataURL: () => image },
  };
});
const { createDesktop } = await import('../../main/electron/desktop.ts');

class Window extends EventEmitter {
  webContents = Object.assign(new EventEmitter(), {
    send: (_channel: string, command: unknown) => this.sent.push(command),
  });
  sent: unknown[] = [];
  visible = true;
  focused = false;
  minimized = false;
  progress = -1;
  overlay = '';
  isVisible = () => this.visible;
  isFocused = () => this.focused;
  isMinimized = () => this.minimized;
  restore = () => {
    this.minimized = false;
  };
  show = () => {
    this.visible = true;
  };
  hide = () => {
    this.visible = false;
  };
  focus = () => {
    this.focused = true;
    this.emit('focus');
  };
  setProgressBar = (progress: number) => {
    this.progress = progress;
  };
  setOverlayIcon = (_icon: unknown, description: string) => {
    this.overlay = description;
  };
  flashFrame = () => undefined;
  /** As a person closes it: true when it is closed then. */
  tryToClose(): boolean {
    let isPrevented = false;
    this.emit('close', { preventDefault: () => (isPrevented = true) });
    return !isPrevented;
  }
}

const { platform } = process;
const settings: DesktopSettings = {
  language: 'system',
  shortcut: null,
  keepInTray: false,
  notifications: true,
  offline: false,
};

describe('the desktop', () => {
  let window: Window;
  let said: unknown[] = [];
  let desktop: ReturnType<typeof createDesktop>;
  const open = (isLoaded = true): void => {
    window = new Window();
    said = [];
    desktop = createDesktop({
      window: () => window as never,
      currentWindow: () => window as never,
      helpItems: () => [],
      say: (message) => said.push(message),
    });
    desktop.adopt(window as never);
    if (isLoaded) window.webContents.emit('did-finish-load');
  };
  beforeEach(() => {
    cardboard.notices.length = 0;
    cardboard.trays.length = 0;
    open();
  });
  afterEach(() => Object.defineProperty(process, 'platform', { value: platform }));

  const done = { type: 'documents', numReady: 3, numFailed: 0, elapsedMs: longMs } as const;

  it('tells of long work that has ended while nobody looks; a click leads to it, a look ends the badge', () => {
    desktop.ended(done);
    desktop.ended(done);
    expect(cardboard.notices.map(({ body }) => body)).toEqual(['3 ready.', '3 ready.']);
    expect(cardboard.badge).toBe(2);
    window.minimized = true;
    window.visible = false;
    cardboard.notices[0]!.emit('click');
    expect(window).toMatchObject({ visible: true, focused: true, minimized: false });
    expect(window.sent).toEqual([{ type: 'view', view: 'library' }]);
    expect(cardboard.badge).toBe(0);
    desktop.ended(done);
    expect(cardboard.notices).toHaveLength(2);
  });

  it('shows progress on the program’s button and takes it away', () => {
    desktop.activity({ numWorking: 2, progress: 0.25, watching: 'none' });
    expect(window.progress).toBe(0.25);
    desktop.activity({ numWorking: 0, progress: null, watching: 'none' });
    expect(window.progress).toBe(-1);
  });

  it('keeps a closed window in the tray, until the program ends or the person wants it no more', () => {
    expect(window.tryToClose()).toBe(true);
    desktop.settings({ ...settings, keepInTray: true });
    expect(window.tryToClose()).toBe(false);
    expect(window.visible).toBe(false);
    desktop.settings(settings);
    expect(window.visible).toBe(true);
    expect(cardboard.trays[0]!.isGone).toBe(true);
    desktop.settings({ ...settings, keepInTray: true });
    desktop.leave();
    expect(window.tryToClose()).toBe(true);
  });

  it('the tray pauses the watching, begins chats, and speaks the language of the window', () => {
    desktop.activity({ numWorking: 2, progress: 0, watching: 'on' });
    desktop.settings({ ...settings, keepInTray: true, language: 'fr' });
    const [tray] = cardboard.trays;
    expect(tray!.tip).toBe('Quoth\u00a0: 2 en cours');
    expect(cardboard.labels[0]).toBe('&Fichier');
    tray!.menu.find(({ label }) => label?.startsWith('Suspendre'))!.click!();
    tray!.menu.find(({ label }) => label === 'Nouvelle discussion')!.click!();
    expect(said).toEqual([{ type: 'watch', paused: true }]);
    expect(window.sent).toEqual([{ type: 'new-chat' }]);
  });

  it('the keys bring the window with the composer', () => {
    desktop.settings({ ...settings, shortcut: 'Alt+Shift+Q' });
    window.visible = false;
    cardboard.held.get('Alt+Shift+Q')!();
    expect(window.visible).toBe(true);
    expect(window.sent).toEqual([{ type: 'compose', question: null }]);
    desktop.settings(settings);
    expect(cardboard.held.size).toBe(0);
  });

  it('what is asked for before the page is there waits for it', () => {
    open(false);
    desktop.show({ type: 'new-chat' });
    expect(window.sent).toEqual([]);
    window.webContents.emit('did-finish-load');
    expect(window.sent).toEqual([{ type: 'new-chat' }]);
  });

  it('a computer that wakes is told to the core', () => {
    cardboard.power.get('resume')!();
    expect(said).toEqual([{ type: 'woken' }]);
  });

  it('on Windows there are tasks under the button, and what has ended is a sign on it', () => {
    Object.defineProperty(process, 'platform', { value: 'win32' });
    open();
    expect(cardboard.tasks).toHaveLength(3);
    desktop.ended(done);
    expect(window.overlay).not.toBe('');
    window.focus();
    expect(window.overlay).toBe('');
  });
});
