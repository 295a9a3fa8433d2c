export type ShippedPackage = { path: string; name: string; version: string; licence: string | null };

/** The packages that `names` need, themselves included. */
export function packagesNeededBy(names: string[]): ShippedPackage[];
/** The packages of package.json that the app loads at run time. */
export function runtimeNames(): string[];
/** The packages that the window's sources name. */
export function windowNames(): string[];
