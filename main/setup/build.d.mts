export type BuildName = 'addon' | 'main' | 'preload' | 'renderer';

/** Builds what is not up to date and gives the names of what was built. */
export function build(options?: {
  only?: BuildName[];
  say?: (line: string) => void;
  forAllGpus?: boolean;
}): Promise<string[]>;
