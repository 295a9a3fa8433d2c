import { describe, expect, it, vi } from 'vitest';
import { windowLanguages } from '../../app/contract/types.ts';
import { createActivity } from '../../main/activity.ts';
import type { Activity, Ended } from '../../main/electron/messages.ts';
import { longMs, noticeOf } from '../../main/electron/notifications.ts';
import { createShortcut } from '../../main/electron/shortcut.ts';
import { type Texts, textsOf } from '../../main/electron/texts.ts';
import { makeDocument, makeFolder, makeTurn } from '../fakes/app-handlers.ts';

vi.mock('electron', () => ({ app: {}, Menu: {}, Tray: class {}, nativeImage: {} }));
const { menuTemplate, userTasks } = await import('../../main/electron/menu.ts');
const { trayTemplate } = await import('../../main/electron/tray.ts');

const texts = textsOf('en', []);

describe('the words of the desktop', () => {
  it('are those of the chosen language, or of the system’s first that is spoken', () => {
    expect(textsOf('fr', ['ja-JP']).newChat).toBe('Nouvelle discussion');
    expect(textsOf('system', ['de-DE', 'zh-Hans-CN', 'fr']).settings).toBe('设置');
    expect(textsOf('system', ['ja_JP.UTF-8']).settings).toBe('設定');
    expect(textsOf('system', ['de']).settings).toBe('Settings');
  });

  it('no language leaves a word out or repeats English', () => {
    const plain = (words: Texts): string[] =>
      Object.values(words).map((word) =>
        typeof word === 'function' ? String((word as (...n: number[]) => string)(3, 2)) : word,
      );
    const english = plain(texts);
    for (const language of windowLanguages) {
      const words = plain(textsOf(language, []));
      expect(words.every((word) => word.trim() !== '')).toBe(true);
      const same = words.filter((word, index) => word === english[index]);
      if (language !== 'en') expect(same.filter((word) => word !== '&File')).toEqual([]);
    }
  });
});

describe('the menu', () => {
  it('has a word of its own for every item that a person can choose', () => {
    for (const isMac of [false, true]) {
      const items = menuTemplate(texts, isMac, () => undefined).flatMap(({ submenu }) =>
        Array.isArray(submenu) ? submenu : [],
      );
      for (const { label, role, type } of items)
        expect(label !== undefined || type === 'separator' || role === 'hide' || role === 'unhide').toBe(true);
      const keys = items.flatMap(({ accelerator }) => (accelerator ? [accelerator] : []));
      expect(new Set(keys).size).toBe(keys.length);
    }
  });

  it('asks the page, which shows', () => {
    const said: unknown[] = [];
    const items = menuTemplate(texts, false, (command) => said.push(command)).flatMap(({ submenu }) =>
      Array.isArray(submenu) ? submenu : [],
    );
    for (const { click } of items) (click as (() => void) | undefined)?.();
    expect(said).toContainEqual({ type: 'new-chat' });
    expect(said).toContainEqual({ type: 'view', view: 'settings' });
  });

  it('the tasks of Windows start the same program with one word that a start understands', () => {
    const tasks = userTasks(texts, 'C:\\Quoth\\Quoth.exe');
    expect(tasks.map((task) => [task.program, task.arguments])).toEqual([
      ['C:\\Quoth\\Quoth.exe', '--new-chat'],
      ['C:\\Quoth\\Quoth.exe', '--library'],
      ['C:\\Quoth\\Quoth.exe', '--settings'],
    ]);
  });

  it('the tray offers to pause what is watched, to go on, or neither', () => {
    const watched: boolean[] = [];
    const actions = { open() {}, newChat() {}, quit() {}, watch: (paused: boolean) => void watched.push(paused) };
    const item = (watching: Activity['watching']) => trayTemplate(texts, watching, actions)[3]!;
    expect(item('none')).toMatchObject({ label: texts.pauseWatching, enabled: false });
    (item('on').click as () => void)();
    (item('paused').click as () => void)();
    expect(watched).toEqual([true, false]);
  });
});

describe('the keys from anywhere', () => {
  function open(takenByOthers: string[] = []) {
    const held = new Map<string, () => void>();
    const keys = {
      register(accelerator: string, callback: () => void) {
        if (accelerator.includes('Ä')) throw new TypeError('conversion failure');
        if (takenByOthers.includes(accelerator) || held.has(accelerator)) return false;
        held.set(accelerator, callback);
        return true;
      },
      unregister: (accelerator: string) => void held.delete(accelerator),
    };
    let numPressed = 0;
    return { held, shortcut: createShortcut(keys, () => numPressed++), numPressed: () => numPressed };
  }

  it('are one at a time, and bring the window', () => {
    const { held, shortcut, numPressed } = open();
    expect(shortcut.use('Alt+Shift+Q')).toBe(true);
    expect(shortcut.use('Alt+Shift+Z')).toBe(true);
    expect([...held.keys()]).toEqual(['Alt+Shift+Z']);
    held.get('Alt+Shift+Z')!();
    expect(numPressed()).toBe(1);
    shortcut.use(null);
    expect(held.size).toBe(0);
  });

  it('are checked without being taken', () => {
    const { held, shortcut } = open(['Alt+Shift+X']);
    shortcut.use('Alt+Shift+Q');
    expect(shortcut.check('Alt+Shift+Q')).toBe('ours');
    expect(shortcut.check('Alt+Shift+Z')).toBe('free');
    expect(shortcut.check('Alt+Shift+X')).toBe('taken');
    expect(shortcut.check('Control+C')).toBe('invalid');
    expect(shortcut.check('Alt+Shift+Ä')).toBe('invalid');
    expect([...held.keys()]).toEqual(['Alt+Shift+Q']);
  });

  it('that another program holds are asked for again at the next change', () => {
    const taken = ['Alt+Shift+Q'];
    const { shortcut } = open(taken);
    expect(shortcut.use('Alt+Shift+Q')).toBe(false);
    taken.length = 0;
    expect(shortcut.use('Alt+Shift+Q')).toBe(true);
    shortcut.release();
    expect(shortcut.check('Alt+Shift+Q')).toBe('free');
  });
});

describe('notices', () => {
  const turn = makeTurn(1, 'x');
  const long = { type: 'documents', numReady: 3, numFailed: 1, elapsedMs: longMs } as const;
  const job: Ended = {
    type: 'job',
    chatId: 'chat_0000000000000001' as never,
    turnId: turn.id,
    isDone: true,
    elapsedMs: longMs,
  };
  const away = { isWanted: true, isFocused: false };

  it('come when long work has ended and the person looks elsewhere, and lead to it', () => {
    expect(noticeOf(long, away, texts)).toMatchObject({
      body: '3 ready, 1 could not be read.',
      command: { type: 'view', view: 'library' },
    });
    expect(noticeOf(job, away, texts)?.command).toEqual({
      type: 'chat',
      chatId: 'chat_0000000000000001',
      turnId: turn.id,
    });
    expect(noticeOf({ ...job, isDone: false }, away, texts)?.body).toBe(texts.jobFailed);
  });

  it('do not come for short work, to a focused window, against the person’s wish, or for nothing', () => {
    expect(noticeOf({ ...long, elapsedMs: longMs - 1 }, away, texts)).toBeNull();
    expect(noticeOf(long, { ...away, isFocused: true }, texts)).toBeNull();
    expect(noticeOf(long, { ...away, isWanted: false }, texts)).toBeNull();
    expect(noticeOf({ ...long, numReady: 0, numFailed: 0 }, away, texts)).toBeNull();
  });
});

describe('what Quoth is at', () => {
  function open() {
    let nowMs = 0;
    const told: Activity[] = [];
    const ended: Ended[] = [];
    const watch = createActivity({
      nowMs: () => nowMs,
      onActivity: (one) => told.push(one),
      onEnded: (one) => ended.push(one),
    });
    return { watch, told, ended, last: () => told.at(-1), pass: (ms: number) => (nowMs += ms) };
  }
  const changed = (n: number, part: Parameters<typeof makeDocument>[1]) =>
    ({ type: 'changed', document: makeDocument(n, part) }) as const;
  const jobOf = (state: 'waiting' | 'reading' | 'joining' | 'stopped' | 'failed', numRead = 0) => ({
    turnId: 'turn_0000000000000001' as never,
    chatId: 'chat_0000000000000001' as never,
    task: { type: 'summarise', scope: { type: 'library' } } as const,
    state,
    numParts: 10,
    numRead,
    document: null,
    secondsLeft: null,
    reason: null,
  });

  it('documents that are read make progress, and their end is told once, with counts and time', () => {
    const { watch, ended, last, pass } = open();
    watch.library({ type: 'reset', documents: [makeDocument(9)] });
    expect(ended).toEqual([]);
    watch.library(changed(1, { state: 'queued', progress: 0 }));
    watch.library(changed(2, { state: 'queued', progress: 0 }));
    watch.library(changed(1, { state: 'reading', progress: 0.5 }));
    expect(last()).toMatchObject({ numWorking: 2, progress: 0.25 });
    pass(12_000);
    watch.library(changed(1, { state: 'ready' }));
    expect(last()).toMatchObject({ numWorking: 1, progress: 0.5 });
    watch.library(changed(2, { state: 'failed' }));
    expect(last()).toEqual({ numWorking: 0, progress: null, watching: 'none' });
    expect(ended).toEqual([{ type: 'documents', numReady: 1, numFailed: 1, elapsedMs: 12_000 }]);
    watch.library(changed(2, { state: 'failed' }));
    expect(ended).toHaveLength(1);
  });

  it('documents of paused folders are not on their way', () => {
    const { watch, last, ended } = open();
    watch.folders([makeFolder(1, { state: 'paused', numWorking: 1 })]);
    watch.library(changed(1, { state: 'queued', progress: 0 }));
    expect(last()).toEqual({ numWorking: 0, progress: null, watching: 'paused' });
    watch.folders([makeFolder(1, { numWorking: 1 })]);
    expect(last()).toMatchObject({ numWorking: 1, watching: 'on' });
    expect(ended).toEqual([]);
  });

  it('a job that leaves the list has ended, one that was stopped or never ran has not', () => {
    const { watch, ended, last, pass } = open();
    watch.jobs([jobOf('reading', 3)]);
    expect(last()).toMatchObject({ numWorking: 1, progress: 0.3 });
    pass(60_000);
    watch.jobs([]);
    expect(ended).toMatchObject([{ type: 'job', isDone: true, elapsedMs: 60_000 }]);
    watch.jobs([jobOf('waiting')]);
    watch.jobs([]);
    watch.jobs([jobOf('reading', 3)]);
    watch.jobs([jobOf('stopped', 3)]);
    watch.jobs([]);
    expect(ended).toHaveLength(1);
    watch.jobs([jobOf('reading', 3)]);
    watch.jobs([jobOf('failed', 3)]);
    expect(ended.at(-1)).toMatchObject({ isDone: false });
    expect(last()).toMatchObject({ numWorking: 0, progress: null });
  });
});
