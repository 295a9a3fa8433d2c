import { useTranslation } from 'react-i18next';
import { Button } from '../common/button.tsx';
import { Empty } from '../common/card.tsx';

type MessageProps = { title: string; detail: string; canReload?: boolean };

/** A page of one message: what stands in the window when nothing else can. */
export function Message({ title, detail, canReload = false }: MessageProps) {
  const { t } = useTranslation();
  return (
    <main className="grid h-full place-items-center">
      <Empty title={title} detail={detail}>
        {canReload && (
          <Button look="primary" onClick={() => location.reload()}>
            {t('connection.reload')}
          </Button>
        )}
      </Empty>
    </main>
  );
}
