import { useStore } from 'zustand';
import type { Settings } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';

/** The settings, null before they are here, and the way to change some; what goes wrong is told. */
export function useSettings(): [settings: Settings | null, change: (part: Partial<Settings>) => void] {
  const { settings: store, notices } = useQuoth();
  const settings = useStore(store, (state) => state.settings);
  return [settings, (part) => void store.getState().change(part).catch(notices.getState().tellError)];
}
