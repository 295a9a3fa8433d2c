/** The colours of a theme as the browser draws them, and how well a text can be read on them (WCAG 2.2, 1.4.3). */

export const themes = ['system', 'light', 'dark', 'contrast'] as const;
export type Theme = (typeof themes)[number];

/** Every colour of theme.css, by its name there without `--color-`. */
export const colourNames = [
  'paper',
  'panel',
  'raised',
  'hover',
  'line',
  'line-strong',
  'ink',
  'soft',
  'faint',
  'accent',
  'accent-strong',
  'accent-wash',
  'on-accent',
  'mark',
  'mark-line',
  'danger',
  'danger-wash',
  'warn',
  'warn-wash',
] as const;
export type ColourName = (typeof colourNames)[number];

/** Which text stands on which ground somewhere in the window: each pair must reach `leastContrast`. */
export const textPairs: readonly [text: ColourName, ground: ColourName][] = [
  ...(['ink', 'soft', 'faint', 'accent', 'danger', 'warn'] as const).flatMap((text) =>
    (['paper', 'panel', 'raised'] as const).map((ground): [ColourName, ColourName] => [text, ground]),
  ),
  ['ink', 'hover'],
  ['soft', 'hover'],
  ['accent', 'hover'],
  ['ink', 'mark'],
  ['ink', 'accent-wash'],
  ['accent', 'accent-wash'],
  ['danger', 'danger-wash'],
  ['warn', 'warn-wash'],
  ['on-accent', 'accent'],
  ['on-accent', 'accent-strong'],
  ['paper', 'ink'],
];

/** For text of the usual size. The theme of high contrast promises 7. */
export const leastContrast = (theme: Theme): number => (theme === 'contrast' ? 7 : 4.5);

export type Rgb = readonly [red: number, green: number, blue: number];

/** `rgb(14, 90, 84)` as the browser writes a computed colour. */
export function parseRgb(words: string): Rgb {
  const [red = 0, green = 0, blue = 0] = words.match(/[\d.]+/g)?.map(Number) ?? [];
  return [red, green, blue];
}

/** From 1 (not to be told apart) to 21 (black on white). */
export function contrast(one: Rgb, other: Rgb): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(colour: Rgb): number {
  const [red = 0, green = 0, blue = 0] = colour.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** What each colour is in each theme. The page wears each for a moment, and is not drawn meanwhile. */
export function readColours(): Record<Theme, Record<ColourName, string>> {
  const page = document.documentElement;
  const worn = page.dataset.theme;
  const probe = document.createElement('span');
  document.body.append(probe);
  const all = themes.map((theme) => {
    if (theme === 'system') delete page.dataset.theme;
    else page.dataset.theme = theme;
    const colours = colourNames.map((name) => {
      probe.style.color = `var(--color-${name})`;
      return [name, getComputedStyle(probe).color];
    });
    return [theme, Object.fromEntries(colours)];
  });
  probe.remove();
  if (worn === undefined) delete page.dataset.theme;
  else page.dataset.theme = worn;
  return Object.fromEntries(all);
}
