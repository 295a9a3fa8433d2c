/**
 * The built window in Chromium, served by the real loopback server with its real policy. Behind the contract stands a fake
 * application.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { contract } from '../../app/contract/contract.ts';
import { serve } from '../../app/contract/server.ts';
import { type HttpServer, startHttp } from '../../main/loopback/http.ts';
import { createFakeApp, type FakeApp } from '../fakes/app-handlers.ts';

const root = join(import.meta.dirname, '..', '..');
const token = 'test-token-of-the-window-0123456789';

/** Where Chromium is on this machine; undefined where it is not. */
export const chromiumPath = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

export type BuiltWindow = {
  readonly rendererFolder: string;
  readonly browser: Browser;
  readonly origin: string;
  /** What the next page talks to. */
  app: FakeApp;
  /** Where the recordings of the library lie, by their documents. */
  readonly recordings: Map<string, string>;
  /** Paths of files that were given to the application, requests to elsewhere, and rules of the policy that were broken. */
  readonly ticketPaths: string[];
  readonly strayRequests: string[];
  readonly violations: string[];
  /** `settings`: what its button is called, in the language of the window. */
  open(settings?: string): Promise<Page>;
  /** Closes the page that is open. */
  closePage(): Promise<void>;
  close(): Promise<void>;
};

/** Builds the window, serves it and starts the browser. */
export async function startBuiltWindow(): Promise<BuiltWindow> {
  const folder = mkdtempSync(join(tmpdir(), 'quoth-window-'));
  const rendererFolder = join(folder, 'renderer');
  const ticketPaths: string[] = [];
  const strayRequests: string[] = [];
  const violations: string[] = [];
  const recordings = new Map<string, string>();
  // As it is shipped: a test runner's own setting would build React with all its checks.
  const { NODE_ENV } = process.env;
  process.env.NODE_ENV = 'production';
  await build({
    configFile: join(root, 'renderer', 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir: rendererFolder, emptyOutDir: true },
  });
  if (NODE_ENV === undefined) delete process.env.NODE_ENV;
  else process.env.NODE_ENV = NODE_ENV;
  const server: HttpServer = await startHttp({
    token,
    port: 0,
    rendererFolder,
    droppedFolder: join(folder, 'dropped'),
    issueTicket: (path) => {
      ticketPaths.push(path);
      return String(ticketPaths.length).padStart(24, '0');
    },
    recordingOf: async (documentId) => recordings.get(documentId) ?? null,
    onPort: (port) => serve(contract, window.app.handlers, port),
    log: () => undefined,
  });
  const browser = await chromium.launch({
    executablePath: chromiumPath ?? '',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  let context: BrowserContext | undefined;
  const origin = `http://127.0.0.1:${server.port}`;
  const window: BuiltWindow = {
    rendererFolder,
    browser,
    origin,
    app: createFakeApp(),
    recordings,
    ticketPaths,
    strayRequests,
    violations,
    async open(settings = 'Settings') {
      strayRequests.length = 0;
      violations.length = 0;
      context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      const page = await context.newPage();
      await context.route('**/*', (route) => {
        if (route.request().url().startsWith(`${origin}/`)) return route.continue();
        strayRequests.push(route.request().url());
        return route.abort();
      });
      page.on('console', (message) => message.type() === 'error' && violations.push(message.text()));
      page.on('pageerror', (error) => violations.push(String(error)));
      page.on('dialog', (dialog) => {
        violations.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      // A violation that a script catches is silent in the console.
      await page.addInitScript(() =>
        document.addEventListener('securitypolicyviolation', (event) =>
          console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
        ),
      );
      await page.goto(`${origin}/#token=${token}`);
      await page.getByRole('button', { name: settings, exact: true }).waitFor();
      return page;
    },
    async closePage() {
      await context?.close();
      ticketPaths.length = 0;
    },
    async close() {
      await browser.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return window;
}
