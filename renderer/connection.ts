/**
 * How the window reaches its shell: the object that Electron's preload script leaves on the page, or the same object made
 * of the loopback server's small HTTP interface (described in `app/contract/shell.ts`).
 */
import { errorCodes, QuothError } from '../app/contract/errors.ts';
import type { Port } from '../app/contract/port.ts';
import { maxUploadBytes, type QuothShell } from '../app/contract/shell.ts';
import { type Ticket, ticket as ticketSchema } from '../app/contract/types.ts';

declare global {
  interface Window {
    quothShell?: QuothShell;
  }
}

const tokenKey = 'quoth.token';
const maxUploads = 4; // The server takes four at a time.

/** The shell of this window, or null when a browser opened the page without its token. */
export function findShell(): QuothShell | null {
  if (window.quothShell) return window.quothShell;
  const token = takeToken();
  return token === null ? null : createLoopbackShell(token);
}

/** Takes the token out of the address, so that neither the history nor a screenshot keeps it. */
function takeToken(): string | null {
  const found = /^#token=([0-9A-Za-z_-]{16,200})$/.exec(location.hash)?.[1];
  if (found !== undefined) {
    sessionStorage.setItem(tokenKey, found);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem(tokenKey);
}

function createLoopbackShell(token: string): QuothShell {
  const atOnce = limit(maxUploads);
  const ticketsFor = async (items: File[], relativePaths: string[] = []): Promise<Ticket[]> => {
    let lastError: unknown;
    const tickets = await Promise.all(
      items.map((file, index) =>
        atOnce(() => upload(file, relativePaths[index] || file.name, token)).catch((thrown: unknown) => {
          lastError = thrown;
          return null;
        }),
      ),
    );
    const taken = tickets.filter((ticket) => ticket !== null);
    if (taken.length === 0 && lastError !== undefined) throw lastError;
    return taken;
  };
  const choose = async (wholeFolder: boolean): Promise<Ticket[] | null> => {
    const files = await chooseWithInput(wholeFolder);
    if (!files || files.length === 0) return null;
    return ticketsFor(
      files,
      files.map((file) => file.webkitRelativePath),
    );
  };
  return {
    kind: 'loopback',
    connect: () => connectSocket(token),
    chooseFiles: () => choose(false),
    chooseFolder: () => choose(true),
    ticketsFor,
    saveFile: async (file) => {
      download(file);
      return true;
    },
    recordingAddress: async (documentId) => `/recordings/${await ticketForRecording(documentId, token)}`,
    openExternal: async (address) => {
      if (new URL(address).protocol === 'https:') window.open(address, '_blank', 'noopener,noreferrer');
    },
  };
}

function download({ name, mediaType, bytes }: Parameters<QuothShell['saveFile']>[0]): void {
  const address = URL.createObjectURL(new Blob([bytes], { type: mediaType }));
  const anchor = document.createElement('a');
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // The browser reads it in its own time.
}

/** Runs a few works at a time; the others wait their turn. */
function limit(maxAtOnce: number): <T>(work: () => Promise<T>) => Promise<T> {
  let numRunning = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (numRunning >= maxAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else numRunning++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else numRunning--;
    }
  };
}

async function upload(file: File, relativePath: string, token: string): Promise<Ticket> {
  if (file.size > maxUploadBytes) throw new QuothError('unsupported', `"${file.name}" is too large for the browser.`);
  const response = await fetch(`/files?path=${encodeURIComponent(relativePath)}`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/octet-stream' },
    body: file,
  }).catch((cause: unknown) => {
    throw new QuothError('closed', 'Quoth could not take the file: it does not answer. Please reload the page.', {
      cause,
    });
  });
  return ticketOf(response, `"${file.name}" was not taken.`);
}

async function ticketForRecording(documentId: string, token: string): Promise<Ticket> {
  const response = await fetch(`/recordings?document=${encodeURIComponent(documentId)}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
  }).catch((cause: unknown) => {
    throw new QuothError('closed', 'Quoth does not answer. Please reload the page.', { cause });
  });
  return ticketOf(response, 'The recording cannot be played.');
}

/** `otherwise`: what is said where the answer says nothing. */
async function ticketOf(response: Response, otherwise: string): Promise<Ticket> {
  const answer: unknown = await response.json().catch(() => null);
  const ticket = ticketSchema.safeParse((answer as { ticket?: unknown } | null)?.ticket);
  if (response.ok && ticket.success) return ticket.data;
  const error = (answer as { error?: { code?: unknown; message?: unknown } } | null)?.error;
  const code = errorCodes.find((known) => known === error?.code) ?? 'internal';
  throw new QuothError(code, typeof error?.message === 'string' ? error.message : otherwise);
}

function chooseWithInput(wholeFolder: boolean): Promise<File[] | null> {
  return new Promise((resolve) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.webkitdirectory = wholeFolder;
    input.addEventListener('change', () => resolve([...(input.files ?? [])]));
    input.addEventListener('cancel', () => resolve(null));
    input.click();
  });
}

function connectSocket(token: string): Promise<Port> {
  return new Promise((resolve, reject) => {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/port`, ['quoth.v1', `token.${token}`]);
    socket.addEventListener('open', () => resolve(createSocketPort(socket)), { once: true });
    socket.addEventListener(
      'close',
      () => reject(new QuothError('closed', 'Quoth does not answer. Please start it again and open its new address.')),
      { once: true },
    );
  });
}

/** A port over an open WebSocket: one JSON text per message. */
export function createSocketPort(socket: WebSocket): Port {
  let listener: ((message: unknown) => void) | undefined;
  let closeListener: (() => void) | undefined;
  let waiting: unknown[] = [];
  let ended = false;
  socket.addEventListener('message', (event) => {
    let message: unknown;
    try {
      message = JSON.parse(String(event.data));
    } catch {
      return; // Not ours; the contract's own checks would refuse it too.
    }
    if (listener) listener(message);
    else waiting.push(message);
  });
  socket.addEventListener('close', () => {
    if (ended) return;
    ended = true;
    closeListener?.();
  });
  return {
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    onMessage: (given) => {
      listener = given;
      const kept = waiting;
      waiting = [];
      for (const message of kept) given(message);
    },
    onClose: (given) => {
      closeListener = given;
      if (ended || socket.readyState >= WebSocket.CLOSING) given();
    },
    close: () => socket.close(),
  };
}

/** The same port with one more listener for its end: the client takes the only one, and the window wants to know too. */
export function watchEnd(port: Port, onEnd: () => void): Port {
  return {
    send: (message) => port.send(message),
    onMessage: (listener) => port.onMessage(listener),
    onClose: (listener) =>
      port.onClose(() => {
        onEnd();
        listener();
      }),
    close: () => port.close(),
  };
}
