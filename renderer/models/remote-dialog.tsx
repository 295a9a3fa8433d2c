import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { RemoteOffer } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { formatCount, formatDuration } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { HostWords } from './remote-host.tsx';

const usualContextTokens = 8192;
const leastContextTokens = 1024;

type Found = { offer: RemoteOffer | null; name: string; contextTokens: string };
type Said = { tone: 'calm' | 'danger'; words: string } | null;

/** Adds a server in two steps: its address and key, then one of its models, which can be tried before it is kept. */
export function RemoteDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const { client, remotes } = useQuoth();
  const keyProtection = useStore(remotes, (state) => state.keyProtection);
  const [address, setAddress] = useState('');
  const [key, setKey] = useState('');
  const [found, setFound] = useState<Found | null>(null);
  const [busy, setBusy] = useState<'finding' | 'trying' | 'adding' | null>(null);
  const [said, setSaid] = useState<Said>(null);
  const controller = useRef<AbortController | null>(null);
  useEffect(() => () => controller.current?.abort(), []);

  /** One thing at a time; a failure is said where it was asked for. */
  const run = (what: NonNullable<typeof busy>, work: (signal: AbortSignal) => Promise<void>): void => {
    controller.current?.abort();
    const mine = new AbortController();
    controller.current = mine;
    setBusy(what);
    setSaid(null);
    work(mine.signal)
      .catch((thrown: Error) => !mine.signal.aborted && setSaid({ tone: 'danger', words: thrown.message }))
      .finally(() => controller.current === mine && setBusy(null));
  };
  const server = { address: found?.offer?.address ?? address, ...(key.trim() ? { key } : {}) };
  const find = (): void =>
    run('finding', async (signal) => {
      const offer = await client
        .probeRemote({ address, ...(key.trim() ? { key } : {}) }, signal)
        .catch((thrown: Error & { code?: string }) => {
          // A wrong address or key must be mended; a server that lists nothing may answer all the same.
          if (!['unreadable', 'not-found', 'unsupported', 'busy'].includes(thrown.code ?? '')) throw thrown;
          setSaid({ tone: 'danger', words: thrown.message });
          return null;
        });
      const first = offer?.models[0];
      setFound({
        offer,
        name: first?.name ?? '',
        contextTokens: String(first?.contextTokens ?? usualContextTokens),
      });
    });
  const test = (name: string): void =>
    run('trying', async (signal) => {
      const { text, firstWordMs } = await client.testRemote({ ...server, name }, signal);
      const time = formatDuration(firstWordMs);
      setSaid({ tone: 'calm', words: text === '' ? t('remote.testedEmpty') : t('remote.tested', { text, time }) });
    });
  const add = (name: string, contextTokens: number): void =>
    run('adding', async () => {
      await remotes.getState().add({ ...server, name, contextTokens });
      onClose();
    });

  const name = found?.name.trim() ?? '';
  const contextTokens = Number(found?.contextTokens.replace(/[\s.,’']/g, ''));
  const isWhole = name !== '' && Number.isInteger(contextTokens) && contextTokens >= leastContextTokens;
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    if (busy) return;
    if (!found) find();
    else if (isWhole) add(name, contextTokens);
  };
  return (
    <Modal open title={t('remote.dialogTitle')} description={t('remote.dialogMeaning')} onClose={onClose}>
      <form className="mt-4 grid gap-4" onSubmit={onSubmit}>
        <Field label={t('remote.address')}>
          {(id) => (
            <input
              {...field(id)}
              inputMode="url"
              value={address}
              placeholder="http://192.168.1.20:8000"
              onChange={(event) => {
                setAddress(event.target.value);
                setFound(null);
              }}
            />
          )}
        </Field>
        <Field label={t('remote.key')} hint={key === '' ? undefined : t(`remote.keyKept.${keyProtection}`)}>
          {(id) => (
            <input
              {...field(id)}
              type="password"
              autoComplete="off"
              value={key}
              onChange={(event) => {
                setKey(event.target.value);
                setFound(null);
              }}
            />
          )}
        </Field>
        {found && <ModelFields found={found} onChange={setFound} />}
        {said && (
          <p
            role="status"
            className={`rounded-lg px-3 py-2 text-[0.8125rem] [overflow-wrap:anywhere] ${said.tone === 'danger' ? 'bg-danger-wash text-danger' : 'bg-accent-wash text-accent'}`}
          >
            {said.words}
          </p>
        )}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          {found && (
            <Button disabled={name === '' || busy !== null} onClick={() => test(name)}>
              {t(busy === 'trying' ? 'remote.testing' : 'remote.test')}
            </Button>
          )}
          {found ? (
            <Button type="submit" look="primary" disabled={!isWhole || busy !== null}>
              {t('remote.save')}
            </Button>
          ) : (
            <Button type="submit" look="primary" disabled={address.trim() === '' || busy !== null}>
              {t(busy === 'finding' ? 'remote.finding' : 'remote.find')}
            </Button>
          )}
        </div>
      </form>
    </Modal>
  );
}

/** Which of its models, and how long a text that takes. */
function ModelFields({ found, onChange }: { found: Found; onChange: (found: Found) => void }) {
  const { t } = useTranslation();
  const { offer, name, contextTokens } = found;
  const listed = offer?.models ?? [];
  const chosen = listed.find((model) => model.name === name);
  return (
    <>
      {offer && <HostWords {...offer} />}
      <Field label={t('remote.model')} hint={listed.length === 0 ? t('remote.modelTyped') : undefined}>
        {(id) =>
          listed.length === 0 ? (
            <input {...field(id)} value={name} onChange={(event) => onChange({ ...found, name: event.target.value })} />
          ) : (
            <select
              {...field(id)}
              value={name}
              onChange={(event) => {
                const model = listed.find((one) => one.name === event.target.value);
                const known = model?.contextTokens ?? usualContextTokens;
                onChange({ ...found, name: event.target.value, contextTokens: String(known) });
              }}
            >
              {listed.map((model) => (
                <option key={model.name}>{model.name}</option>
              ))}
            </select>
          )
        }
      </Field>
      <Field
        label={t('remote.contextLabel')}
        hint={
          chosen?.contextTokens
            ? t('remote.contextFound', { tokens: formatCount(chosen.contextTokens) })
            : t('remote.contextAsk', { tokens: formatCount(usualContextTokens) })
        }
      >
        {(id) => (
          <input
            {...field(id)}
            inputMode="numeric"
            value={contextTokens}
            onChange={(event) => onChange({ ...found, contextTokens: event.target.value })}
          />
        )}
      </Field>
    </>
  );
}

const field = (id: string) => ({
  id,
  'aria-describedby': `${id}-hint`,
  className: 'h-9 w-full rounded-lg border border-line-strong bg-paper px-3 text-sm outline-none focus:border-accent',
  maxLength: 2000,
});

function Field({
  label,
  hint,
  children,
}: {
  label: string;
  hint?: string | undefined;
  children: (id: string) => ReactNode;
}) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="mb-1 block text-[0.8125rem] font-medium">
        {label}
      </label>
      {children(id)}
      <p id={`${id}-hint`} className="mt-1 text-xs text-soft empty:hidden">
        {hint}
      </p>
    </div>
  );
}
