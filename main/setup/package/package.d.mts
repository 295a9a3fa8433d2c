export type PackageOptions = {
  system?: 'win' | 'linux' | 'mac' | undefined;
  electron?: string | undefined;
  isBuilt?: boolean | undefined;
  output?: string;
  log?: (line: string) => void;
};

/** Packs the app and gives the folder with what was made. */
export function packageApp(options?: PackageOptions): Promise<string>;

/** What the environment says of signing and of updates. Throws a sentence when the two do not go together. */
export function releaseOptions(
  environment: Record<string, string | undefined>,
  system: PackageOptions['system'],
): { isSigned: boolean; config: Record<string, unknown> };
