/**
 * What the shell around the picture offers it: a connection to the core, files that the person gives, and a way out to the
 * web. Everything else goes through the contract.
 *
 * **Electron**: the preload script puts it on the page as `window.quothShell`.
 *
 * **Loopback** (a browser on this computer): there is no preload, so `renderer/connection.ts` makes the same object out of
 * this small HTTP interface of `main/loopback/`:
 *
 * - The address that Quoth prints is `http://127.0.0.1:PORT/#token=TOKEN`. The fragment never reaches a server or a log.
 *   The page takes the token out of it, keeps it in `sessionStorage` (so that a reload works) and removes the fragment
 *   with `history.replaceState`. A page without a token asks for the address that stands in the terminal.
 * - `new WebSocket('ws://' + location.host + '/port', ['quoth.v1', 'token.' + TOKEN])` is the port: one JSON text per
 *   message, at most `maxMessageBytes`. A refused token closes the socket before it opens. When it closes, the port is
 *   closed: reload.
 * - `PUT /files?path=RELATIVE` (`encodeURIComponent` of the file's name, or of `folder/…/name` for a file of a folder;
 *   forward slashes), header `Authorization: Bearer TOKEN`, `Content-Type: application/octet-stream`, the file itself as
 *   the body. Answers 201 `{"ticket": "…"}`, or 4xx/5xx `{"error": {"code", "message"}}` with a code of `errors.ts` and a
 *   sentence for the person. One file a request; a few at a time (the server takes four).
 * - `POST /recordings?document=ID`, header `Authorization: Bearer TOKEN`: answers 201 `{"ticket": "…"}` for a recording of the
 *   library. `GET /recordings/TICKET` is its bytes, or a range of them.
 *
 * No cookie is used: browsers send a cookie of 127.0.0.1 to every port of it, so another local server could read it.
 */
import { z } from 'zod';
import type { Port } from './port.ts';
import { chatId, type DocumentId, documentId, type Ticket, turnId } from './types.ts';

/** The largest message of a WebSocket port, in bytes. */
export const maxMessageBytes = 16 * 1024 * 1024;

/** The largest file that the loopback shell takes. */
export const maxUploadBytes = 2 * 1024 * 1024 * 1024;

/**
 * What the shell asks the page to show: of a menu, a link, a notification. Nothing of it acts: a question is put into the
 * composer, and the person sends it.
 */
export const shellCommand = z.discriminatedUnion('type', [
  z.object({ type: z.literal('new-chat') }),
  /** The composer with the focus; with a question, it is put there. */
  z.object({ type: z.literal('compose'), question: z.string().max(20_000).nullable() }),
  z.object({ type: z.literal('chat'), chatId, turnId: turnId.nullable() }),
  z.object({ type: z.literal('document'), documentId }),
  z.object({ type: z.literal('view'), view: z.enum(['chat', 'library', 'models', 'settings']) }),
]);
export type ShellCommand = z.infer<typeof shellCommand>;

/** `ours`: registered for Quoth now. `taken`: another program has it. */
export type ShortcutState = 'ours' | 'free' | 'taken' | 'invalid';

/** What only a program with windows of its own can do; a browser's tab cannot. */
export type DesktopShell = {
  /** One listener; what came before it is kept for it. */
  onCommand(listener: (command: ShellCommand) => void): void;
  /** Whether these keys can bring the window from anywhere. Registers nothing. */
  checkShortcut(shortcut: string): Promise<ShortcutState>;
  /** Shows the profile's folder in the system's file manager. */
  openProfileFolder(): Promise<void>;
};

export type QuothShell = {
  readonly kind: 'electron' | 'loopback';
  /** Electron only. */
  readonly desktop?: DesktopShell;
  /** A new connection to the core. Rejects when there is none; a reload tries again. */
  connect(): Promise<Port>;
  /** Lets the person choose files. Null = they changed their mind. */
  chooseFiles(): Promise<Ticket[] | null>;
  /** Lets the person choose a folder. In a browser its files come one by one, in Electron as one ticket. Null as above. */
  chooseFolder(): Promise<Ticket[] | null>;
  /**
   * Tickets for files that were dropped on the page, in order; what cannot be taken (too large, gone) is left out.
   *
   * Electron: the `File`s of `dataTransfer.files` as they are, a dropped folder is one of them. Loopback: folders must be
   * walked first (`webkitGetAsEntry`), and `relativePaths[i]` is the path of `items[i]` within what was dropped.
   */
  ticketsFor(items: File[], relativePaths?: string[]): Promise<Ticket[]>;
  /** Saves a file where the person says (Electron), or among their downloads (a browser). False = they changed their mind. */
  saveFile(file: { name: string; mediaType: string; bytes: Uint8Array<ArrayBuffer> }): Promise<boolean>;
  /**
   * Where a player of the page finds the recording of a document: an address of the page's own origin that answers to ranges,
   * and to nobody else. It may stop answering after some hours; then a new one is asked for. Fails with `not-found` where the
   * file is not where it was.
   */
  recordingAddress(documentId: DocumentId): Promise<string>;
  /** Opens an https address in the person's browser, after they agreed. Other addresses do nothing. */
  openExternal(address: string): Promise<void>;
  /**
   * Shows a document's file in the system's file manager: by its id, since the page knows no path. False = it is not where
   * it was. Absent in a browser.
   */
  showInFolder?(documentId: DocumentId): Promise<boolean>;
};
