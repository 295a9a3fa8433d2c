import type { KeyboardEvent } from 'react';

/**
 * True for the Enter that sends what was written: not the one with Shift, which makes a line, and not the one that chooses a
 * word while Japanese, Chinese or Korean is being composed. Safari ends the composition before the key arrives and marks the
 * key with code 229 only.
 */
export function isSendingKey(event: KeyboardEvent): boolean {
  return event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing && event.keyCode !== 229;
}

/** True while a key belongs to a word that is being composed. */
export function isComposingKey(event: KeyboardEvent): boolean {
  return event.nativeEvent.isComposing || event.keyCode === 229;
}
