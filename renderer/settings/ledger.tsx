import { useCallback, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Connection } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { formatBytes, formatCount } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { currentLanguage } from '../common/text/text.ts';
import { Section } from './rows.tsx';

/** While it is looked at, new connections appear so soon. */
const refreshMs = 2000;
const pageSize = 50;

/** Every connection that Quoth has made to another computer: when, where to, why, how much, and what came of it. */
export function Ledger() {
  const { t } = useTranslation();
  const { client, notices } = useQuoth();
  const [shown, setShown] = useState(pageSize);
  const [ledger, setLedger] = useState<{ connections: Connection[]; numConnections: number } | null>(null);
  const { tellError } = notices.getState();

  const read = useCallback(
    (signal?: AbortSignal) => client.readLedger({ before: null, limit: Math.min(500, shown) }, signal).then(setLedger),
    [client, shown],
  );
  useEffect(() => {
    const controller = new AbortController();
    // What cannot be told now is told the next time.
    const ask = (): void => void read(controller.signal).catch(() => undefined);
    ask();
    const timer = setInterval(ask, refreshMs);
    return () => {
      clearInterval(timer);
      controller.abort();
    };
  }, [read]);

  const clear = (): void =>
    void client
      .clearLedger({})
      .then(() => read())
      .catch(tellError);
  const { connections, numConnections } = ledger ?? { connections: [], numConnections: 0 };
  return (
    <Section title={t('ledger.title')} meaning={t('ledger.meaning')}>
      <div className="mt-4 overflow-hidden rounded-2xl border border-line bg-raised shadow-card">
        {ledger && connections.length === 0 && <p className="px-5 py-6 text-sm text-soft">{t('ledger.none')}</p>}
        {connections.length > 0 && (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
          <section className="max-h-96 overflow-auto" tabIndex={0} aria-label={t('ledger.title')}>
            <table className="w-full min-w-[34rem] text-left text-[0.8125rem]">
              <thead className="sticky top-0 bg-panel text-soft">
                <tr>
                  {(['when', 'host', 'why', 'sent', 'received', 'outcome'] as const).map((column) => (
                    <th
                      key={column}
                      scope="col"
                      className={`px-3 py-2 font-medium whitespace-nowrap first:pl-5 last:pr-5 ${isNumber(column) ? 'text-right' : ''}`}
                    >
                      {t(`ledger.columns.${column}`)}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody className="divide-y divide-line">
                {connections.map((connection) => (
                  <ConnectionRow key={connection.id} connection={connection} />
                ))}
              </tbody>
            </table>
          </section>
        )}
      </div>
      {numConnections > 0 && (
        <div className="mt-3 flex flex-wrap items-center gap-2">
          <p className="mr-auto text-[0.8125rem] text-soft">
            {t('ledger.count', { count: numConnections, number: formatCount(numConnections) })}
          </p>
          {numConnections > connections.length && shown < 500 && (
            <Button onClick={() => setShown(Math.min(500, shown * 2))}>{t('ledger.more')}</Button>
          )}
          <Button onClick={clear}>{t('ledger.clear')}</Button>
        </div>
      )}
    </Section>
  );
}

function isNumber(column: string): boolean {
  return column === 'sent' || column === 'received';
}

function ConnectionRow({ connection }: { connection: Connection }) {
  const { t } = useTranslation();
  const { startedAtMs, host, purpose, outcome, status, sentBytes, receivedBytes } = connection;
  const size = (bytes: number | null): string =>
    bytes !== null ? formatBytes(bytes) : outcome === 'open' ? '…' : t('ledger.unknown');
  const isBad = outcome === 'failed' || outcome === 'refused' || (status ?? 0) >= 400;
  return (
    <tr>
      <td className="px-3 py-2 pl-5 whitespace-nowrap tabular-nums">
        <time
          dateTime={new Date(startedAtMs).toISOString()}
          title={new Date(startedAtMs).toLocaleString(currentLanguage())}
        >
          {new Date(startedAtMs).toLocaleString(currentLanguage(), { dateStyle: 'short', timeStyle: 'short' })}
        </time>
      </td>
      <td className="min-w-38 px-3 py-2 font-medium [overflow-wrap:anywhere]">{host}</td>
      <td className="px-3 py-2">{t(`ledger.purposes.${purpose}`)}</td>
      <td className="px-3 py-2 text-right whitespace-nowrap tabular-nums">{size(sentBytes)}</td>
      <td className="px-3 py-2 text-right whitespace-nowrap tabular-nums">{size(receivedBytes)}</td>
      <td className={`px-3 py-2 pr-5 ${isBad ? 'text-danger' : 'text-soft'}`}>
        {t(`ledger.outcomes.${outcome}`)}
        {status !== null && status >= 400 && ` (${status})`}
      </td>
    </tr>
  );
}
