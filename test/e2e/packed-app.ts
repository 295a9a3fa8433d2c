/** Starts a packed app as a person does, and finds its window through Chromium's own debugger: Node's is shut by a fuse. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';

export type PackedApp = { readonly pid: number; readonly page: Page; close(): Promise<void> };

const timeoutMs = 60_000;

/** Host and port of Chromium's debugger, which it says on its error stream. */
function debuggerAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`The app did not start. It said:\n${said}`)), timeoutMs);
    child.once('exit', (code) => reject(new Error(`The app ended with ${code}. It said:\n${said}`)));
    child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
      const [, address] = /DevTools listening on ws:\/\/([\d.:]+)\//.exec(said) ?? [];
      if (!address) return;
      clearTimeout(timer);
      resolve(address);
    });
  });
}

/** Waits until the window shows its page: a driver that comes while it is being opened waits for ever. */
async function windowShown(debuggerHost: string): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const answer = await fetch(`http://${debuggerHost}/json/list`);
    const targets = (await answer.json()) as { type: string; url: string; title: string }[];
    if (targets.some(({ type, url, title }) => type === 'page' && url.startsWith('app://quoth/') && title === 'Quoth'))
      return;
    if (Date.now() > end) throw new Error(`The app shows no window: ${JSON.stringify(targets)}`);
    await delay(100);
  }
}

/** @param options binary: the packed program; environment: added to a bare one */
export async function startPackedApp(options: {
  binary: string;
  profile: string;
  environment: Record<string, string>;
  words?: string[];
}): Promise<PackedApp> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  // Without a language Linux' programs take names of files for ASCII: a profile of 山田 is then not found.
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(
    options.binary,
    [
      ...sandbox,
      '--disable-gpu',
      '--lang=en-US',
      '--remote-debugging-port=0',
      `--profile=${options.profile}`,
      ...(options.words ?? []),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH, HOME, LANG: 'C.UTF-8', ...options.environment } },
  );
  const ended = once(child, 'exit');
  let browser: Browser | undefined;
  try {
    const debuggerHost = await debuggerAddress(child);
    await windowShown(debuggerHost);
    browser = await chromium.connectOverCDP(`http://${debuggerHost}`);
    const page = browser.contexts()[0]?.pages()[0];
    if (!page || child.pid === undefined) throw new Error('The app opened no window.');
    return {
      pid: child.pid,
      page,
      async close() {
        await browser?.close();
        child.kill('SIGTERM');
        await ended;
      },
    };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** What each process below `pid` has loaded from `folder`: paths from there, as Linux tells them. */
export function loadedFrom(folder: string, pid: number): { pid: number; files: string[] }[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const isBelow = (one: number): boolean => one === pid || (parents.has(one) && isBelow(parents.get(one) as number));
  return [...parents.keys()].filter(isBelow).map((one) => {
    let maps = '';
    try {
      maps = readFileSync(`/proc/${one}/maps`, 'utf8');
    } catch {
      // The same.
    }
    const files = new Set(
      maps
        .split('\n')
        .map((line) => line.slice(73))
        .filter((file) => file.startsWith(folder))
        .map((file) => file.slice(folder.length + 1)),
    );
    return { pid: one, files: [...files].sort() };
  });
}
