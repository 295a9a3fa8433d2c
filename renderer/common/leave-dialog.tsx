import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { parseAddress } from './address.ts';
import { Button } from './button.tsx';
import { Modal } from './dialog.tsx';
import { useQuoth } from './quoth.tsx';

/** Asks before the person's browser is opened, with the real host: that of a parsed address is in punycode. */
export function LeaveDialog() {
  const { t } = useTranslation();
  const { view, shell, notices } = useQuoth();
  const address = useStore(view, (state) => state.leavingTo);
  const { leaveTo } = view.getState();
  const url = address === null ? null : parseAddress(address);
  const canOpen = url?.protocol === 'https:' && url.username === '' && url.password === '';
  return (
    <Modal
      open={url !== null}
      title={t('leave.title', { host: url?.host })}
      description={canOpen ? t('leave.description') : t('leave.notSecure')}
      onClose={() => leaveTo(null)}
    >
      <p className="mt-3 max-h-40 overflow-y-auto rounded-lg bg-panel p-3 font-mono text-xs break-all">{url?.href}</p>
      <div className="mt-5 flex justify-end gap-2">
        <Button onClick={() => leaveTo(null)}>{t('common.cancel')}</Button>
        {canOpen && (
          <Button
            look="primary"
            onClick={() => {
              shell.openExternal(url.href).catch(notices.getState().tellError);
              leaveTo(null);
            }}
          >
            {t('leave.open')}
          </Button>
        )}
      </div>
    </Modal>
  );
}
