import { Globe, Server, TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { RemoteHost } from '../../app/contract/types.ts';

/** Where what is asked goes, and who can read along. */
export function HostWords({ host, isLoopback, isPrivate }: RemoteHost) {
  const { t } = useTranslation();
  const Icon = isLoopback ? Server : Globe;
  return (
    <div className="mt-2 grid gap-1 text-[0.8125rem]">
      <p className={`flex items-start gap-2 ${isLoopback ? 'text-soft' : 'text-warn'}`}>
        <Icon className="mt-0.5 size-3.5 shrink-0" aria-hidden="true" />
        <span>{isLoopback ? t('remote.here') : t('remote.leaves', { host })}</span>
      </p>
      {!isPrivate && (
        <p className="flex items-start gap-2 text-warn">
          <TriangleAlert className="mt-0.5 size-3.5 shrink-0" aria-hidden="true" />
          <span>{t('remote.open')}</span>
        </p>
      )}
    </div>
  );
}
