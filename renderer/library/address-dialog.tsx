import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { parseAddress } from '../common/address.ts';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { useAdding } from './use-adding.ts';

/** Asks for an address to read: the one time that Quoth goes out by itself, and only for this. */
export function AddressDialog() {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const { addAddress } = useAdding();
  const asked = useStore(view, (state) => state.addressAsked);
  const [address, setAddress] = useState('');
  useEffect(() => {
    if (asked !== null) setAddress(asked);
  }, [asked]);
  const close = (): void => view.getState().askForAddress(null);
  const url = parseAddress(address);
  return (
    <Modal open={asked !== null} title={t('address.title')} description={t('address.description')} onClose={close}>
      <form
        className="mt-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (!url) return;
          addAddress(url.href);
          close();
        }}
      >
        <input
          type="text"
          inputMode="url"
          value={address}
          maxLength={2000}
          aria-label={t('address.label')}
          placeholder="https://www.youtube.com/watch?v=…"
          className="h-9 w-full rounded-lg border border-line-strong bg-paper px-3 text-sm outline-none focus:border-accent"
          onChange={(event) => setAddress(event.target.value)}
        />
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={close}>{t('common.cancel')}</Button>
          <Button type="submit" look="primary" disabled={!url}>
            {t('address.add')}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
