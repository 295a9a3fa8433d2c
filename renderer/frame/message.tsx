import { useTranslation } from 'react-i18next';
import { Button } from '../common/button.tsx';

type MessageProps = { title: string; detail: string; canReload?: boolean };

/** A page of one message: what stands in the window when nothing else can. */
export function Message({ title, detail, canReload = false }: MessageProps) {
  const { t } = useTranslation();
  return (
    <main className="grid h-full place-items-center p-6">
      <div className="max-w-md text-center">
        <h1 className="font-serif text-2xl font-medium">{title}</h1>
        <p className="mt-2 text-soft">{detail}</p>
        {canReload && (
          <Button look="primary" className="mt-6" onClick={() => location.reload()}>
            {t('connection.reload')}
          </Button>
        )}
      </div>
    </main>
  );
}
