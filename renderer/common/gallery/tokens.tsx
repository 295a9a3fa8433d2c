import { type ReactNode, useEffect, useState } from 'react';
import { Chip } from '../chip.tsx';
import {
  colourNames,
  contrast,
  leastContrast,
  parseRgb,
  readColours,
  type Theme,
  textPairs,
  themes,
} from './colours.ts';

/** A part of the gallery with its heading. */
export function Part({ title, about, children }: { title: string; about?: string; children: ReactNode }) {
  return (
    <section className="mt-12" aria-label={title}>
      <h2 className="text-lg font-semibold">{title}</h2>
      {about && <p className="mt-0.5 max-w-[44rem] text-sm text-soft">{about}</p>}
      <div className="mt-4">{children}</div>
    </section>
  );
}

type Colours = ReturnType<typeof readColours>;

/** A piece of a colour, painted by script: the page's policy allows no style in its markup. */
function Swatch({ colour }: { colour: string }) {
  return (
    <span
      aria-hidden="true"
      className="inline-block size-5 shrink-0 rounded-md border border-line-strong"
      style={{ backgroundColor: colour }}
    />
  );
}

const hex = (words: string): string =>
  `#${parseRgb(words)
    .map((channel) => Math.round(channel).toString(16).padStart(2, '0'))
    .join('')}`;

/** Every colour in the four themes, and the contrast of every pair of text and ground, computed from what is drawn. */
export function ColourTables() {
  const [colours, setColours] = useState<Colours | null>(null);
  useEffect(() => setColours(readColours()), []);
  if (!colours) return null;
  return (
    <>
      <Part
        title="Colours"
        about="Each is a pair, light and dark; the choice follows color-scheme. “System” is what this computer asks for."
      >
        <Table head={['Name', ...themes]}>
          {colourNames.map((name) => (
            <tr key={name} className="border-t border-line">
              <th scope="row" className="py-1.5 pr-4 text-left font-mono text-xs font-normal">
                {name}
              </th>
              {themes.map((theme) => (
                <td key={theme} className="py-1.5 pr-4">
                  <span className="flex items-center gap-2 font-mono text-xs">
                    <Swatch colour={colours[theme][name]} />
                    {hex(colours[theme][name])}
                  </span>
                </td>
              ))}
            </tr>
          ))}
        </Table>
      </Part>
      <Part
        title="Contrast"
        about="Text on ground, wherever the window puts the one on the other: 4.5 at least, 7 in high contrast."
      >
        <Table head={['Text on ground', ...themes]}>
          {textPairs.map(([text, ground]) => (
            <tr key={`${text} ${ground}`} className="border-t border-line">
              <th scope="row" className="py-1.5 pr-4 text-left font-mono text-xs font-normal">
                {text} on {ground}
              </th>
              {themes.map((theme) => (
                <td key={theme} className="py-1.5 pr-4">
                  <Ratio colours={colours} theme={theme} text={text} ground={ground} />
                </td>
              ))}
            </tr>
          ))}
        </Table>
      </Part>
    </>
  );
}

type RatioProps = { colours: Colours; theme: Theme; text: keyof Colours['light']; ground: keyof Colours['light'] };

function Ratio({ colours, theme, text, ground }: RatioProps) {
  const ratio = contrast(parseRgb(colours[theme][text]), parseRgb(colours[theme][ground]));
  const isEnough = ratio >= leastContrast(theme);
  return (
    <span className="flex items-center gap-2 text-sm tabular-nums" data-enough={isEnough}>
      <span
        aria-hidden="true"
        className="inline-flex h-6 w-9 items-center justify-center rounded-md border border-line text-xs"
        style={{ color: colours[theme][text], backgroundColor: colours[theme][ground] }}
      >
        Aa
      </span>
      {ratio.toFixed(1)}
      {!isEnough && <Chip tone="danger">too low</Chip>}
    </span>
  );
}

function Table({ head, children }: { head: string[]; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached without a pointer
    <section className="overflow-x-auto" aria-label={`${head[0]}, by theme`} tabIndex={0}>
      <table className="w-full min-w-[40rem] border-collapse">
        <thead>
          <tr>
            {head.map((name) => (
              <th key={name} scope="col" className="pr-4 pb-1.5 text-left text-xs font-semibold text-soft">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

const sizes = [
  ['font-serif text-2xl font-medium', 'Title of a view', '24 px, serif'],
  ['text-lg font-semibold', 'Part of a view', '18 px'],
  ['text-base font-semibold', 'Title of a dialog', '16 px'],
  ['', 'An answer, and all that is read', '15 px'],
  ['text-sm', 'Lists, fields, places', '14 px'],
  ['text-[0.8125rem] text-soft', 'Buttons, and what explains', '13 px'],
  ['text-xs text-soft', 'Numbers, and what is small beside something', '12 px'],
  ['font-serif text-[0.9375rem]', 'A quote, in the words of its document', '15 px, serif'],
  ['font-mono text-xs', 'addresses and code', '12 px, mono'],
] as const;

const languages = [
  ['en', 'Each sentence with its proof'],
  ['fr', 'Chaque phrase avec sa preuve'],
  ['it', 'Ogni frase con la sua prova'],
  ['ja', 'すべての文に根拠を'],
  ['zh-Hans', '每句话都有依据'],
] as const;

/** Sizes of type, spaces, corners and shadows. */
export function Measures() {
  return (
    <>
      <Part title="Type" about="Sizes are in rem: the person's text size scales them all. Fonts are the system's.">
        <div className="grid gap-2">
          {sizes.map(([look, words, size]) => (
            <p key={words} className="flex flex-wrap items-baseline gap-x-6">
              <span className={`min-w-[min(24rem,100%)] ${look}`}>{words}</span>
              <span className="text-xs text-faint">{size}</span>
            </p>
          ))}
        </div>
        <div className="mt-4 flex flex-wrap gap-x-8 gap-y-2 font-serif text-lg">
          {languages.map(([language, words]) => (
            <p key={language} lang={language}>
              {words}
            </p>
          ))}
        </div>
      </Part>
      <Part title="Space, corners, shadows">
        <div className="flex flex-wrap items-end gap-4 text-xs text-soft">
          {['size-1', 'size-2', 'size-3', 'size-4', 'size-6', 'size-8', 'size-10'].map((size, index) => (
            <div key={size} className="grid justify-items-center gap-1">
              <span className={`${size} rounded-sm bg-accent`} aria-hidden="true" />
              {[4, 8, 12, 16, 24, 32, 40][index]}
            </div>
          ))}
          {[
            ['rounded-md', 'items 6'],
            ['rounded-lg', 'controls 8'],
            ['rounded-xl', 'menus 12'],
            ['rounded-2xl', 'cards 16'],
          ].map(([look, words]) => (
            <div key={look} className={`grid h-16 w-28 place-items-center border border-line-strong bg-raised ${look}`}>
              {words}
            </div>
          ))}
          <div className="grid h-16 w-28 place-items-center rounded-xl border border-line bg-raised shadow-card">
            card
          </div>
          <div className="grid h-16 w-28 place-items-center rounded-xl border border-line bg-raised shadow-float">
            float
          </div>
        </div>
      </Part>
    </>
  );
}
