/** The Electron binary, fetched by its own package at first use; null where it cannot be had. */
export function electronBinary(node: string): string | null;
export function hasDisplay(): boolean;
/** What Electron is started with: the app, and words for it. */
export function electronWords(extra: string[]): string[];
/** The repository's root. */
export const root: string;
