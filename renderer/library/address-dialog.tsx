import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { addressesIn } from './dropped.ts';
import { useAdding } from './use-adding.ts';

/** Asks for addresses to read: the one time that Quoth goes out by itself, and only for this. */
export function AddressDialog() {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const { addAddresses } = useAdding();
  const asked = useStore(view, (state) => state.addressAsked);
  const [address, setAddress] = useState('');
  useEffect(() => {
    if (asked !== null) setAddress(asked);
  }, [asked]);
  const close = (): void => view.getState().askForAddress(null);
  const addresses = addressesIn(address);
  const add = (): void => {
    if (addresses.length === 0) return;
    void addAddresses(addresses);
    close();
  };
  return (
    <Modal open={asked !== null} title={t('address.title')} description={t('address.description')} onClose={close}>
      <form
        className="mt-4"
        onSubmit={(event) => {
          event.preventDefault();
          add();
        }}
      >
        <textarea
          value={address}
          rows={Math.min(6, Math.max(2, address.split('\n').length))}
          maxLength={100_000}
          inputMode="url"
          spellCheck={false}
          aria-label={t('address.label')}
          placeholder="https://www.youtube.com/watch?v=…"
          className="w-full resize-none rounded-lg border border-line-strong bg-paper px-3 py-1.5 text-sm outline-none [overflow-wrap:anywhere] focus:border-accent"
          onChange={(event) => setAddress(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
            event.preventDefault();
            add();
          }}
        />
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={close}>{t('common.cancel')}</Button>
          <Button type="submit" look="primary" disabled={addresses.length === 0}>
            {addresses.length > 1 ? t('address.addAll', { count: addresses.length }) : t('address.add')}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
