import { Check, Copy, KeyRound, TriangleAlert } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { LocalApi } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { formatDay } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { Toggle } from '../common/switch.tsx';
import { useCopy } from '../common/use-copy.ts';
import { Row, Rows, Section } from './rows.tsx';

/** What an MCP client's configuration wants; `quoth mcp` finds the profile and the key by itself. */
const mcpEntry = '{ "mcpServers": { "quoth": { "command": "quoth", "args": ["mcp"] } } }';
const ports = { least: 1024, most: 65_535 };

/** The door for other programs: its switch, its address, its key. */
export function ApiSection() {
  const { t } = useTranslation();
  const { client, notices } = useQuoth();
  const [api, setApi] = useState<LocalApi | null>(null);
  const [key, setKey] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  const { tellError } = notices.getState();
  useEffect(() => {
    const controller = new AbortController();
    client
      .readLocalApi({}, controller.signal)
      .then(setApi)
      .catch((thrown: unknown) => !controller.signal.aborted && tellError(thrown));
    return () => controller.abort();
  }, [client, tellError]);
  if (!api) return null;
  const take = (work: Promise<{ localApi: LocalApi; key: string | null }>): void => {
    setBusy(true);
    work
      .then((done) => {
        setApi(done.localApi);
        setKey(done.localApi.on ? (done.key ?? key) : null);
      })
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  return (
    <Section title={t('api.title')} meaning={t('api.meaning')}>
      <Rows>
        <Row label={t('api.switch')} meaning={t('api.switchMeaning')}>
          <Toggle
            label={t('api.switch')}
            on={api.on}
            disabled={busy}
            onChange={(on) => take(client.setLocalApi({ on }))}
          />
        </Row>
        {api.on && (
          <>
            {api.problem && (
              <p role="alert" className="flex items-start gap-2 bg-danger-wash px-5 py-3 text-[0.8125rem] text-danger">
                <TriangleAlert className="mt-0.5 size-4 shrink-0" aria-hidden="true" />
                {api.problem}
              </p>
            )}
            <Row label={t('api.address')} meaning={t('api.addressMeaning')}>
              <div className="flex flex-wrap items-center gap-2">
                {api.address && <Copyable text={api.address} label={t('api.copyAddress')} />}
                <PortField port={api.port} onChange={(port) => take(client.setLocalApi({ on: true, port }))} />
              </div>
            </Row>
            <Row
              label={t('api.key')}
              meaning={
                key !== null
                  ? t('api.keyOnce')
                  : api.keyMadeAtMs !== null
                    ? t('api.keyMade', { date: formatDay(api.keyMadeAtMs) })
                    : ''
              }
            >
              <Button disabled={busy} onClick={() => setAsking(true)}>
                <KeyRound className="size-3.5" aria-hidden="true" />
                {t('api.renew')}
              </Button>
              {key !== null && (
                <div className="basis-full">
                  <Copyable text={key} label={t('api.copyKey')} />
                </div>
              )}
            </Row>
            <Row label={t('api.mcp')} meaning={t('api.mcpMeaning')}>
              <div className="basis-full">
                <Copyable text={mcpEntry} label={t('api.copyEntry')} />
              </div>
            </Row>
          </>
        )}
      </Rows>
      <Modal
        open={asking}
        title={t('api.renewTitle')}
        description={t('api.renewMeaning')}
        onClose={() => setAsking(false)}
      >
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={() => setAsking(false)}>{t('common.cancel')}</Button>
          <Button
            look="primary"
            onClick={() => {
              setAsking(false);
              take(client.renewLocalApiKey({}));
            }}
          >
            {t('api.renew')}
          </Button>
        </div>
      </Modal>
    </Section>
  );
}

function Copyable({ text, label }: { text: string; label: string }) {
  const { t } = useTranslation();
  const { copied, copy } = useCopy();
  return (
    <div className="flex min-w-0 items-center gap-1 rounded-lg border border-line bg-panel py-0.5 pr-0.5 pl-3">
      <code className="min-w-0 flex-1 font-mono text-[0.8125rem] [overflow-wrap:anywhere]">{text}</code>
      <IconButton small label={copied ? t('answer.copied') : label} onClick={() => copy(text)}>
        {copied ? <Check className="size-4" /> : <Copy className="size-4" />}
      </IconButton>
    </div>
  );
}

function PortField({ port, onChange }: { port: number; onChange: (port: number) => void }) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(String(port));
  useEffect(() => setTyped(String(port)), [port]);
  const commit = (): void => {
    const wanted = /^\d{4,5}$/.test(typed.trim()) ? Number(typed) : 0;
    if (wanted < ports.least || wanted > ports.most) setTyped(String(port));
    else if (wanted !== port) onChange(wanted);
  };
  return (
    <label className="flex items-center gap-2 text-[0.8125rem] text-soft">
      {t('api.port')}
      <input
        type="text"
        inputMode="numeric"
        value={typed}
        className="h-8 w-20 rounded-lg border border-line-strong bg-raised px-2.5 text-sm text-ink tabular-nums outline-none focus:border-accent"
        onChange={(event) => setTyped(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => event.key === 'Enter' && !event.nativeEvent.isComposing && commit()}
      />
    </label>
  );
}
