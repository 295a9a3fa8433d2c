/** The system's keychain, which only the window process can reach (Electron's `safeStorage`). Texts in base64. */
import { safeStorage } from 'electron';
import type { CoreMessage } from './messages.ts';

type Wanted = Extract<CoreMessage, { type: 'keychain' }>;

/** What the core asked the keychain for; null for what it cannot do. */
export async function askKeychain({ ask, text }: Wanted): Promise<string | null> {
  try {
    if (!(await isThere())) return null;
    if (ask === 'encrypt') return (await safeStorage.encryptStringAsync(text)).toString('base64');
    if (ask === 'decrypt') return (await safeStorage.decryptStringAsync(Buffer.from(text, 'base64'))).result;
    return 'yes';
  } catch {
    return null; // a keychain that is locked, or of another user
  }
}

/** On Linux without a keychain, Electron encrypts with a password that everybody knows: that is none. */
async function isThere(): Promise<boolean> {
  const isPlain = process.platform === 'linux' && safeStorage.getSelectedStorageBackend() === 'basic_text';
  return !isPlain && (await safeStorage.isAsyncEncryptionAvailable());
}
