/** The start of the window: finds the shell, connects, draws. */
import './common/strict-schema.ts';
import './common/theme.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createClient } from '../app/contract/client.ts';
import { contract } from '../app/contract/contract.ts';
import { toErrorMessage } from '../app/contract/errors.ts';
import { createQuoth, QuothProvider } from './common/quoth.tsx';
import { applyLastLanguage, startTexts, text } from './common/text/text.ts';
import { findShell, watchEnd } from './connection.ts';
import { Frame } from './frame/frame.tsx';
import { Message } from './frame/message.tsx';
import { applyLastTheme } from './settings/settings-state.ts';

async function start(): Promise<void> {
  startTexts();
  applyLastTheme();
  await applyLastLanguage();
  const element = document.getElementById('root');
  if (!element) throw new Error('The page has no root.');
  const root = createRoot(element);
  if (location.hash === '#gallery') {
    const { Gallery } = await import('./common/gallery/gallery.tsx');
    root.render(<Gallery />);
    return;
  }
  const shell = findShell();
  if (!shell) {
    root.render(<Message title={text('connection.noToken')} detail={text('connection.noTokenDetail')} />);
    return;
  }
  let ended = false;
  const listeners = new Set<() => void>();
  try {
    const port = watchEnd(await shell.connect(), () => {
      ended = true;
      for (const listener of listeners) listener();
    });
    const quoth = createQuoth(createClient(contract, port), shell);
    const connection = {
      ended: () => ended,
      subscribe: (listener: () => void) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    };
    root.render(
      <StrictMode>
        <QuothProvider quoth={quoth}>
          <Frame connection={connection} />
        </QuothProvider>
      </StrictMode>,
    );
  } catch (thrown) {
    root.render(<Message title={text('connection.none')} detail={toErrorMessage(thrown).message} canReload />);
  }
}

void start();
