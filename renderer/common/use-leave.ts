import { useCallback } from 'react';
import { parseAddress } from './address.ts';
import { useQuoth } from './quoth.tsx';

/** Goes to a web address in the person's browser after a yes. Electron's shell asks by itself, so it is not asked twice. */
export function useLeave() {
  const { shell, view, notices } = useQuoth();
  return useCallback(
    (address: string): void => {
      const isSecure = parseAddress(address)?.protocol === 'https:';
      if (shell.kind === 'electron' && isSecure) shell.openExternal(address).catch(notices.getState().tellError);
      else view.getState().leaveTo(address);
    },
    [shell, view, notices],
  );
}
