import { Tooltip } from 'radix-ui';
import { useState } from 'react';
import { Segments } from '../segments.tsx';
import { type Theme, themes } from './colours.ts';
import { Controls } from './controls.tsx';
import { ColourTables, Measures } from './tokens.tsx';

const names: Readonly<Record<Theme, string>> = {
  system: 'System',
  light: 'Light',
  dark: 'Dark',
  contrast: 'High contrast',
};

const textSizes = ['100', '150', '200'] as const;

/**
 * The design system on one page: `quoth window --gallery`, or `#gallery` after a browser's address. For those who build the
 * window, in English; it needs no connection and keeps nothing.
 */
export function Gallery() {
  const worn = document.documentElement.dataset.theme;
  const [theme, setTheme] = useState<Theme>(themes.find((one) => one === worn) ?? 'system');
  const [size, setSize] = useState<(typeof textSizes)[number]>('100');
  const wear = (next: Theme): void => {
    if (next === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    setTheme(next);
  };
  const grow = (next: (typeof textSizes)[number]): void => {
    document.documentElement.style.fontSize = next === '100' ? '' : `${next}%`;
    setSize(next);
  };
  return (
    <Tooltip.Provider delayDuration={200}>
      <main className="h-full overflow-y-auto">
        <div className="mx-auto w-full max-w-[60rem] px-6 pt-8 pb-16">
          <header className="grid gap-4">
            <div>
              <h1 className="font-serif text-2xl font-medium">The design of Quoth</h1>
              <p className="mt-1 text-sm text-soft">Tokens are in common/theme.css, components in common.</p>
            </div>
            <div className="flex flex-wrap gap-3">
              <div className="w-[min(28rem,100%)]">
                <Segments
                  label="Theme"
                  value={theme}
                  options={themes.map((value) => ({ value, name: names[value] }))}
                  onChange={wear}
                />
              </div>
              <div className="w-[min(16rem,100%)]">
                <Segments
                  label="Text size"
                  value={size}
                  options={textSizes.map((value) => ({ value, name: `${value} %` }))}
                  onChange={grow}
                />
              </div>
            </div>
          </header>
          <Controls />
          <Measures />
          <ColourTables key={theme} />
        </div>
      </main>
    </Tooltip.Provider>
  );
}
