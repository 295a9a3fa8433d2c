import type { ShippedPackage } from './packages.mjs';

/** The licences of everything that an app carries, as one text. */
export function makeLicences(): { text: string; packages: ShippedPackage[] };
